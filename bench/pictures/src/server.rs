//! How the server is set up, started and killed: in a temporary folder, with a clean environment, on a free port of
//! this machine, on SQLite and with pictures on disk.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::broken::{Broken, Outcome, While as _};
use crate::client::get;

const START_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(2);

pub(crate) struct Installation {
    program: PathBuf,
    folder: TempDir,
    secret_key: String,
    /// The same after every restart, so that clients can go on.
    pub(crate) address: SocketAddr,
}

/// A running server. It is killed when dropped.
pub(crate) struct Server(Child);

impl Installation {
    pub(crate) fn new(program: &Path) -> Outcome<Self> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let folder = TempDir::with_prefix("countersign-pictures-")?;
        let mut installation = Self { program: program.canonicalize()?, folder, secret_key: String::new(), address };
        installation.secret_key = installation.run("secret")?.trim().to_owned();
        installation.run("migrate up")?;
        Ok(installation)
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments.split(' ')).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("DATABASE_URL", "sqlite:countersign.db").env("PORT", self.address.port().to_string());
        command.env("RATE_LIMITS", "off");
        command.env("MEDIA_DIR", "media").env("LOG", "error").env("ACCESS_TOKEN_EXPIRE_MINUTES", "1440");
        command.env("ARGON2_MEMORY_KIB", "19456").env("ARGON2_ITERATIONS", "2").env("ARGON2_LANES", "1");
        command.env("FRONTEND_URL", "http://localhost:8000");
        if !self.secret_key.is_empty() {
            command.env("SECRET_KEY", &self.secret_key);
        }
        command
    }

    /// What a command says.
    pub(crate) fn run(&self, arguments: &str) -> Outcome<String> {
        let output = self.command(arguments).output().doing(arguments)?;
        if !output.status.success() {
            return Err(Broken(format!("`{arguments}`: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts the server; it answers when this returns.
    pub(crate) fn start(&self) -> Outcome<Server> {
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let mut server = Server(self.command("serve").stdout(Stdio::null()).stderr(log).spawn()?);
        let begun = Instant::now();
        while begun.elapsed() < START_MAX {
            if let Some(status) = server.0.try_wait()? {
                return Err(Broken(format!("the server ended at once, {status}: {}", self.log_text())));
            }
            if get(self.address, "/health").is_ok_and(|answer| answer.status == 200) {
                return Ok(server);
            }
            sleep(POLL);
        }
        Err(Broken(format!("the server did not answer within {START_MAX:?}")))
    }

    /// What it has logged as errors so far.
    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The names of all files in the folder of pictures, finished or not.
    pub(crate) fn picture_files(&self) -> Outcome<Vec<String>> {
        let mut names = Vec::new();
        let folder = self.folder.path().join("media/profile_pics");
        if !folder.exists() {
            return Ok(names); // the first upload makes it
        }
        for entry in fs::read_dir(folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }
}

impl Server {
    pub(crate) fn process(&self) -> u32 {
        self.0.id()
    }

    /// Ends it as a power cut would: without a chance to put anything in order.
    pub(crate) fn kill(mut self) -> Outcome<()> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
