//! Runs the binary in its own folder and environment, and never longer than the test.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::KEY;

/// Timeout for every wait, on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Polls `probe` until it returns a value.
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "within {PATIENCE:?} it did not come to this: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A working directory for the binary, and its environment.
pub(crate) struct Sandbox {
    folder: TempDir,
    outputs: TempDir,
    environment: BTreeMap<String, String>,
    /// Subfolder where commands run.
    within: PathBuf,
    runs: AtomicU32,
}

impl Sandbox {
    /// An empty folder and no settings.
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            outputs: tempfile::tempdir().unwrap(),
            environment: BTreeMap::new(),
            within: PathBuf::new(),
            runs: AtomicU32::new(0),
        }
    }

    /// The settings for `serve` with this database on a free port; passwords are hashed at the lowest cost without a
    /// warning.
    pub(crate) fn with_database(url: &str) -> Self {
        Self::new()
            .set("SECRET_KEY", KEY)
            .set("FRONTEND_URL", "http://localhost:8000")
            .set("DATABASE_URL", url)
            .served_cheaply()
    }

    /// Sets a free port, and the lowest password cost without a warning.
    pub(crate) fn served_cheaply(self) -> Self {
        self.set("PORT", 0).set("ARGON2_MEMORY_KIB", 19_456).set("ARGON2_ITERATIONS", 2).set("ARGON2_LANES", 1)
    }

    /// Runs commands in this subfolder.
    pub(crate) fn within(mut self, name: &str) -> Self {
        self.within = name.into();
        self
    }

    /// Sets an environment variable.
    pub(crate) fn set(mut self, name: &str, value: impl Display) -> Self {
        self.environment.insert(name.to_owned(), value.to_string());
        self
    }

    /// Removes an environment variable.
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Adds a file to the folder.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The permissions of a file, as for `chmod`.
    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}")).permissions().mode() & 0o7777
    }

    /// The names of everything in the folder.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Runs a command and waits for its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.launch(arguments).wait()
    }

    /// Starts a command without waiting.
    pub(crate) fn launch(&self, arguments: &[&str]) -> Process {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let [stdout, stderr] = ["out", "err"].map(|name| self.outputs.path().join(format!("{run}.{name}")));
        let mut command = self.command(arguments);
        let command = command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        Process { child: command.spawn().unwrap(), stdout, stderr }
    }

    /// A command whose output is not redirected yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command
            .args(arguments)
            .current_dir(self.folder.path().join(&self.within))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.folder.path())
            .envs(&self.environment)
            .stdin(Stdio::null());
        command
    }

    /// Starts `serve` or `dev` and waits until it accepts requests.
    pub(crate) fn start(&self, command: &str) -> Server {
        self.launch(&[command]).listening()
    }
}

/// A run of the binary; killed when dropped.
pub(crate) struct Process {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    pub(crate) fn stdout(&self) -> String {
        text_of(&self.stdout)
    }

    pub(crate) fn stderr(&self) -> String {
        text_of(&self.stderr)
    }

    /// Waits until it accepts requests.
    pub(crate) fn listening(mut self) -> Server {
        let address = eventually("the process takes requests", || {
            let address = announced_address(&self.stdout(), &self.stderr());
            if address.is_none()
                && let Some(status) = self.child.try_wait().unwrap()
            {
                panic!("it ended with {status}:\n{}{}", self.stdout(), self.stderr());
            }
            address
        });
        Server { process: self, address }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// A file of the process in `/proc`.
    pub(crate) fn proc(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap()
    }

    /// Sends a signal, by its name for `kill`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Ended {
        let status = eventually("the process ends", || self.child.try_wait().unwrap());
        Ended { code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has usually ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Returns the listening address: `dev` prints it in its banner, `serve` in its log.
fn announced_address(stdout: &str, stderr: &str) -> Option<SocketAddr> {
    let banner = stdout.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let banner = banner.filter_map(|line| line.trim().strip_prefix("Site")?.trim().strip_prefix("http://"));
    let log = stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let log = log.filter(|line| line["message"] == "listening").map(|line| line["address"].clone());
    let announced =
        banner.map(str::to_owned).chain(log.filter_map(|address| address.as_str().map(str::to_owned))).next();
    announced.map(|address| address.parse().unwrap())
}

/// A run of the binary that accepts requests.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

/// The result of a run.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Everything that it wrote to both streams.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}
