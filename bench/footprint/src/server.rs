//! How the server is started and asked: in a temporary folder, with its own defaults, on a free port of this machine.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::broken::{Broken, Outcome};

const START_MAX: Duration = Duration::from_secs(30);
/// Short beside what is measured.
const POLL: Duration = Duration::from_micros(200);
const ANSWER_MAX: Duration = Duration::from_secs(30);

pub(crate) struct Installation {
    program: PathBuf,
    folder: TempDir,
    database_url: String,
    secret_key: String,
    address: SocketAddr,
}

/// A running server. It is killed when dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Installation {
    /// With an empty database.
    pub(crate) fn new(program: &Path, database_url: &str) -> Outcome<Self> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let (program, folder) = (program.to_owned(), TempDir::with_prefix("footprint-")?);
        let database_url = database_url.to_owned();
        let mut installation = Self { program, folder, database_url, secret_key: String::new(), address };
        installation.secret_key = installation.run("secret")?.trim().to_owned();
        installation.run("migrate up")?;
        Ok(installation)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments.split(' ')).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("DATABASE_URL", &self.database_url).env("PORT", self.address.port().to_string());
        command.env("RATE_LIMITS", "off").env("FRONTEND_URL", "http://localhost:8000");
        if !self.secret_key.is_empty() {
            command.env("SECRET_KEY", &self.secret_key);
        }
        command
    }

    fn run(&self, arguments: &str) -> Outcome<String> {
        let output = self.command(arguments).output()?;
        if !output.status.success() {
            return Err(Broken(format!("`{arguments}`: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts the server, and says how long it took until it answered for the first time.
    pub(crate) fn start(&self) -> Outcome<(Server, Duration)> {
        let mut command = self.command("serve");
        let begun = Instant::now();
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Server { process, address: self.address };
        while begun.elapsed() < START_MAX {
            if server.ask("GET /health", "", "").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Ok((server, begun.elapsed()));
            }
            if let Some(status) = server.process.try_wait()? {
                return Err(Broken(format!("the server ended at once, {status}")));
            }
            sleep(POLL);
        }
        Err(Broken(format!("the server did not answer within {START_MAX:?}")))
    }
}

impl Server {
    /// One request over a connection of its own; head and body of the answer.
    pub(crate) fn ask(&self, what: &str, token: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        let media_type = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
        write!(
            stream,
            "{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: {media_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// What it takes now.
    pub(crate) fn memory(&self) -> Outcome<Memory> {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process.id()))?;
        let mebibytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
            kibibytes.map(|value| value / 1024.0).ok_or_else(|| Broken(format!("smaps_rollup has no {name}")))
        };
        Ok(Memory { resident: mebibytes("Rss")?, proportional: mebibytes("Pss")?, own: mebibytes("Anonymous")? })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// In MiB.
pub(crate) struct Memory {
    /// Everything that is mapped and in memory, the program's own file included (RSS).
    pub(crate) resident: f64,
    /// The same, where what others map too is shared out among all of them (PSS).
    pub(crate) proportional: f64,
    /// What is in no file, and cannot be dropped and read again.
    pub(crate) own: f64,
}
