//! Servers under measurement: each is started in a temporary folder with a clean environment, on a free port of 127.0.0.1.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::broken::{Outcome, While as _, broken};
use crate::client::{ask_once, get};
use crate::process::{Process, Tree, folder};
use crate::usage::Usage;

const START_MAX: Duration = Duration::from_mins(1);
/// Short compared with the fastest start.
const POLL: Duration = Duration::from_micros(200);

/// The lowest costs that the server allows, for benchmarks where logins are only the way to sessions.
pub const CHEAP_LOGINS: [(&str, &str); 3] =
    [("ARGON2_MEMORY_KIB", "19456"), ("ARGON2_ITERATIONS", "2"), ("ARGON2_LANES", "1")];
/// Access tokens that are valid for longer than a run.
pub const LONG_TOKENS: (&str, &str) = ("ACCESS_TOKEN_EXPIRE_MINUTES", "1440");

/// Where a server's log goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Log {
    /// To `/dev/null`.
    Nowhere,
    /// To a file.
    Kept,
    /// To a file; an error in it breaks the run when the server is stopped.
    Checked,
}

pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A program with a folder and settings, from which servers can be started.
pub struct Installation {
    program: PathBuf,
    folder: TempDir,
    is_ours: bool,
    /// Of every server and every command.
    settings: Vec<(String, String)>,
    /// What works for its servers, such as their database.
    pub beside: Option<Tree>,
}

impl Installation {
    /// Ours, with a secret and an empty database: `accounts.db` in its folder unless `settings` name another.
    pub fn new(program: &Path, settings: &[(&str, &str)]) -> Outcome<Self> {
        Self::in_folder(folder()?, program, settings)
    }

    pub fn in_folder(folder: TempDir, program: &Path, settings: &[(&str, &str)]) -> Outcome<Self> {
        let defaults = [
            ("DATABASE_URL", "sqlite:accounts.db"),
            ("FRONTEND_URL", "http://localhost:8000"),
            // One client stands for many.
            ("RATE_LIMITS", "off"),
        ];
        let mut installation = Self::of_peer(folder, program, &defaults)?;
        installation.is_ours = true;
        for (name, value) in settings {
            installation.set(name, value);
        }
        let secret_key = installation.secret_key()?;
        installation.set("SECRET_KEY", &secret_key);
        installation.run("migrate up")?;
        Ok(installation)
    }

    /// A program of others, which takes no commands and makes its schema at its first start.
    pub fn of_peer(folder: TempDir, program: &Path, settings: &[(&str, &str)]) -> Outcome<Self> {
        let program = program.canonicalize().doing(program.display())?;
        let mut installation = Self { program, folder, is_ours: false, settings: Vec::new(), beside: None };
        for (name, value) in settings {
            installation.set(name, value);
        }
        Ok(installation)
    }

    /// A new one, that is not in use yet.
    pub fn secret_key(&self) -> Outcome<String> {
        Ok(self.run("secret")?.trim().to_owned())
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn get(&self, name: &str) -> &str {
        self.settings.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    pub fn unset(&mut self, name: &str) {
        self.settings.retain(|(found, _)| found != name);
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments.split_whitespace()).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The output of a command of the program.
    pub fn run(&self, arguments: &str) -> Outcome<String> {
        let output = self.command(arguments).output().doing(self.program.display())?;
        if !output.status.success() {
            return broken(format!("`{arguments}`: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts a server on a free port and waits for its first answer.
    pub fn start(&self, log: Log, settings: &[(&str, &str)]) -> Outcome<Server> {
        self.start_at(free_port()?, log, settings)
    }

    pub fn start_at(&self, port: u16, log: Log, settings: &[(&str, &str)]) -> Outcome<Server> {
        let path = self.folder.path().join(format!("server-{port}.log"));
        let mut command = self.command(if self.is_ours { "serve" } else { "" });
        command.env("PORT", port.to_string()).envs(settings.iter().copied()).stdout(Stdio::null());
        match log {
            Log::Nowhere => command.stderr(Stdio::null()),
            Log::Kept | Log::Checked => command.stderr(File::options().create(true).append(true).open(&path)?),
        };
        let begun = Instant::now();
        let process = Process::start(&mut command)?;
        let mut server = Server::of(process, SocketAddr::from(([127, 0, 0, 1], port)));
        server.log = (log, path);
        server.beside = self.beside;
        let health = get("/health");
        let name = self.program.display();
        while begun.elapsed() < START_MAX {
            if ask_once(server.address, &health).is_ok_and(|answer| answer.status == 200) {
                server.start = begun.elapsed();
                return Ok(server);
            }
            if let Some(status) = server.process.status()? {
                return broken(format!("{name} ended at once, {status}: {}", server.last_line()));
            }
            thread::sleep(POLL);
        }
        broken(format!("{name} did not answer within {START_MAX:?}: {}", server.last_line()))
    }
}

/// A running server. It is killed when dropped; [`Server::stop`] asks first.
pub struct Server {
    process: Process,
    pub address: SocketAddr,
    /// From the start of the process to the first answer.
    pub start: Duration,
    /// What works for it, such as its database.
    pub beside: Option<Tree>,
    log: (Log, PathBuf),
}

impl Server {
    pub(crate) fn of(process: Process, address: SocketAddr) -> Self {
        Self { process, address, start: Duration::ZERO, beside: None, log: (Log::Nowhere, PathBuf::new()) }
    }

    pub fn process(&self) -> u32 {
        self.process.id()
    }

    pub fn tree(&self) -> Tree {
        self.process.tree()
    }

    pub fn usage(&self) -> Outcome<Usage> {
        Usage::now(self.tree(), self.beside)
    }

    /// The log of this server, and of those before it at the same port.
    pub fn log_text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log.1).unwrap_or_default()).into_owned()
    }

    fn last_line(&self) -> String {
        self.log_text().lines().last().unwrap_or_default().to_owned()
    }

    /// The errors it has logged so far.
    pub fn errors(&self) -> Vec<String> {
        let text = self.log_text();
        text.lines().filter(|line| line.contains(r#""level":"ERROR""#)).map(str::to_owned).collect()
    }

    /// Ends the server as a process manager does. Its status has to be success, and a checked log without errors.
    pub fn stop(mut self) -> Outcome<()> {
        let status = self.process.terminate()?;
        if !status.success() {
            return broken(format!("the server ended with {status}"));
        }
        match self.errors().first() {
            Some(line) if self.log.0 == Log::Checked => broken(format!("the server logged an error: {line}")),
            _ => Ok(()),
        }
    }

    /// Ends the server whatever its status, which peers do not keep.
    pub fn stop_peer(mut self) -> Outcome<()> {
        self.process.terminate().map(drop)
    }
}
