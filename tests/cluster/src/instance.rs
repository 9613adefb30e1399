//! Sets up, starts and stops instances of the program: in a temporary folder, with only the environment set here, each on
//! a fixed port.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::time::sleep;

use crate::broken::{Broken, Outcome};
use crate::client::{Client, Content, Target};

const START_MAX: Duration = Duration::from_mins(1);
const STOP_MAX: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// Settings and folder shared by all instances.
pub(crate) struct Installation {
    folder: TempDir,
    settings: Vec<(&'static str, String)>,
}

/// A running instance; killed when dropped.
pub(crate) struct Instance {
    process: Child,
    log: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Installation {
    /// Uses the lowest accepted hashing costs, because hashing is not under test.
    pub(crate) fn new(program: &Path, database_url: &str) -> Outcome<Self> {
        let mut installation =
            Self { folder: tempfile::Builder::new().prefix("cluster-").tempdir()?, settings: Vec::new() };
        for (name, value) in [
            ("DATABASE_URL", database_url),
            ("FRONTEND_URL", "http://localhost:8000"),
            ("RATE_LIMITS", "off"),
            ("ARGON2_MEMORY_KIB", "19456"),
            ("ARGON2_ITERATIONS", "2"),
            ("ARGON2_LANES", "1"),
            ("TRUSTED_PROXIES", "127.0.0.1"),
            ("LOG", "warn,countersign_server=info"),
        ] {
            installation.set(name, value);
        }
        let key = installation.run(program, "secret")?;
        installation.set("SECRET_KEY", key.trim());
        installation.run(program, "migrate up")?;
        Ok(installation)
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.settings.retain(|(found, _)| *found != name);
        self.settings.push((name, value.to_owned()));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &Path, arguments: &str) -> Command {
        let mut command = Command::new(program);
        command.args(arguments.split(' ')).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs a command and returns its output; an error if it fails.
    pub(crate) fn run(&self, program: &Path, arguments: &str) -> Outcome<String> {
        self.run_with(program, arguments, &[])
    }

    pub(crate) fn run_with(&self, program: &Path, arguments: &str, settings: &[(&str, &str)]) -> Outcome<String> {
        let output = self.command(program, arguments).envs(settings.iter().copied()).output()?;
        if !output.status.success() {
            return Err(Broken(format!("`{arguments}`: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts an instance and waits until it is ready.
    pub(crate) async fn start(&self, program: &Path, address: SocketAddr) -> Outcome<Instance> {
        let log = self.path(&format!("{}.log", address.port()));
        let mut command = self.command(program, "serve");
        command.env("PORT", address.port().to_string()).stdout(Stdio::null());
        let process = command.stderr(File::options().create(true).append(true).open(&log)?).spawn()?;
        let mut instance = Instance { process, log, address };
        let begun = Instant::now();
        while !instance.is_ready().await {
            if let Some(status) = instance.process.try_wait()? {
                return Err(Broken(format!("it ended at once, {status}: {}", instance.last_words())));
            }
            if begun.elapsed() > START_MAX {
                return Err(Broken(format!("it is not ready within {START_MAX:?}: {}", instance.last_words())));
            }
            sleep(POLL).await;
        }
        Ok(instance)
    }
}

impl Instance {
    pub(crate) async fn is_ready(&self) -> bool {
        let answer = Client::new(&Target::plain(self.address)).ask("GET /ready", "", &Content::none()).await;
        answer.is_ok_and(|answer| answer.status == 200)
    }

    /// Id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }

    /// The log of this instance and of earlier ones at the same address.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Stops it like a process manager, and waits for its end.
    pub(crate) async fn stop(mut self) -> Outcome<ExitStatus> {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status()?;
        if !told.success() {
            return Err(Broken("SIGTERM could not be sent".to_owned()));
        }
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > STOP_MAX {
                return Err(Broken(format!("it does not end within {STOP_MAX:?}")));
            }
            sleep(POLL).await;
        }
    }

    /// Kills it, like a crash.
    pub(crate) fn kill(mut self) -> Outcome<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
