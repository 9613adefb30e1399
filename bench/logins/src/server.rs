//! How the server is set up, started and ended: in a temporary folder, with a clean environment, on a port of the
//! system's choice.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::broken::{Broken, Outcome, While as _};

const START_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(2);

/// What has to be cleared away if this program is told to end.
#[derive(Default)]
struct Traces {
    process: Option<Pid>,
    folder: Option<PathBuf>,
}

static TRACES: Mutex<Traces> = Mutex::new(Traces { process: None, folder: None });

fn traces() -> MutexGuard<'static, Traces> {
    TRACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the server along when a signal ends this program. The task lives as long as what is returned.
pub(crate) fn end_together(runtime: &Runtime) -> Outcome<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    let _context = runtime.enter();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut told = signal(kind)?;
        tasks.spawn(async move {
            told.recv().await;
            let Traces { process, folder } = &*traces();
            // Nobody is left to be told that one of these did not work.
            if let Some(process) = process {
                let _: rustix::io::Result<()> = kill_process(*process, Signal::KILL);
            }
            if let Some(folder) = folder {
                let _: io::Result<()> = fs::remove_dir_all(folder);
            }
            std::process::exit(128 + kind.as_raw_value());
        });
    }
    Ok(tasks)
}

/// A database and a secret with which servers can be started, one after the other.
pub(crate) struct Installation {
    program: PathBuf,
    folder: TempDir,
    secret_key: String,
}

impl Installation {
    pub(crate) fn new(program: &Path) -> Outcome<Self> {
        let program = program.canonicalize().doing(program.display())?;
        let folder = TempDir::with_prefix("countersign-logins-")?;
        traces().folder = Some(folder.path().to_owned());
        let mut installation = Self { program, folder, secret_key: String::new() };
        let secret_key = installation.output("secret")?;
        secret_key.trim().clone_into(&mut installation.secret_key);
        installation.output("migrate up")?;
        Ok(installation)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments.split(' ')).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("DATABASE_URL", "sqlite:accounts.db");
        // One client stands for many here.
        command.env("RATE_LIMITS", "off").env("FRONTEND_URL", "http://localhost:8000");
        if !self.secret_key.is_empty() {
            command.env("SECRET_KEY", &self.secret_key);
        }
        command
    }

    fn output(&self, arguments: &str) -> Outcome<String> {
        let output = self.command(arguments).output().doing(arguments)?;
        if !output.status.success() {
            return Err(Broken(format!("`{arguments}`: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Gives the users these hashes in turn, as somebody who brings users along would; the first of them are taken away.
    pub(crate) fn set_hashes(&self, first: usize, hashes: &[&str]) -> Outcome<()> {
        const SCRIPT: &str = "import sqlite3, sys\n\
            db = sqlite3.connect('accounts.db')\n\
            users = db.execute('SELECT id FROM auth_users ORDER BY username_key').fetchall()\n\
            first = int(sys.argv[1])\n\
            db.execute('PRAGMA foreign_keys = ON')\n\
            db.executemany('DELETE FROM auth_users WHERE id = ?', users[:first])\n\
            for number, (user,) in enumerate(users[first:]):\n    \
            hash = sys.argv[2 + number % (len(sys.argv) - 2)]\n    \
            db.execute('UPDATE auth_users SET password_hash = ? WHERE id = ?', (hash, user))\n\
            db.commit()\n";
        let mut python = Command::new("python3");
        python.args(["-c", SCRIPT, &first.to_string()]).args(hashes).current_dir(self.folder.path());
        let output = python.output().doing("python3")?;
        if output.status.success() { Ok(()) } else { Err(Broken(String::from_utf8_lossy(&output.stderr).into_owned())) }
    }

    /// Starts a server; it answers when this returns. All settings but these have their defaults.
    pub(crate) fn start(&self, settings: &[(&str, String)]) -> Outcome<Server> {
        let log = self.folder.path().join("server.log");
        let child = self
            .command("serve")
            .env("PORT", "0")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .spawn()
            .doing("starting the server")?;
        traces().process = Some(Pid::from_child(&child));
        let mut server = Server { child, log, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let begun = Instant::now();
        while begun.elapsed() < START_MAX {
            if let Some(address) = server.listening()? {
                server.address = address;
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(Broken(format!("the server ended at once, {status}: {}", server.log_text()?.trim())));
            }
            thread::sleep(POLL);
        }
        Err(Broken(format!("the server did not listen within {START_MAX:?}: {}", server.log_text()?.trim())))
    }
}

/// A running server. It is killed when dropped; [`Server::stop`] asks first.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    fn log_text(&self) -> Outcome<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    fn listening(&self) -> Outcome<Option<SocketAddr>> {
        let text = self.log_text()?;
        // The last line may be half written.
        let lines = text.split_inclusive('\n').filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut announced = lines.filter(|line| line["message"] == "listening");
        announced.find_map(|line| line["address"].as_str().map(str::parse)).transpose().doing("the server's address")
    }

    /// Ends the server as a process manager does, and looks at what it leaves: its status, and its log for errors.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).doing("ending the server")?;
        let status = self.wait()?;
        if !status.success() {
            let signal = status.signal().map(|signal| format!(" by signal {signal}")).unwrap_or_default();
            return Err(Broken(format!("the server ended{signal} with {status}")));
        }
        match self.log_text()?.lines().find(|line| line.contains(r#""level":"ERROR""#)) {
            Some(line) => Err(Broken(format!("the server logged an error: {line}"))),
            None => Ok(()),
        }
    }

    fn wait(&mut self) -> Outcome<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < STOP_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
        Err(Broken(format!("the server did not end within {STOP_MAX:?} after SIGTERM")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // From here on the number may become that of another process.
        traces().process = None;
        // It may have ended already; `kill` then does nothing, because the child has been waited for.
        let _: io::Result<()> = self.child.kill();
        let _: io::Result<ExitStatus> = self.child.wait();
    }
}
