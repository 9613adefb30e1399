//! How servers are set up, started and ended, ours and the peers alike: in a temporary folder, with a clean
//! environment, on free ports of this machine.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::Bench;
use crate::broken::{Broken, Outcome, While as _};
use crate::contestant::{Contestant, Dialect};
use crate::http::{Answer, Connection};
use crate::postgres::Database;
use crate::processes::Tree;

const START_MAX: Duration = Duration::from_mins(1);
const STOP_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(1);

/// Equal for everybody who hashes with Argon2id.
pub(crate) const COSTS: [(&str, &str); 3] =
    [("ARGON2_MEMORY_KIB", "65536"), ("ARGON2_ITERATIONS", "3"), ("ARGON2_LANES", "4")];
/// The same in bytes.
pub(crate) const HASH_BYTES: u64 = 64 * 1024 * 1024;

/// What signs the tokens of peers; ours makes its own.
const PEER_SECRET: &str = "4f3c2b1a09f8e7d6c5b4a3928170615e4f3c2b1a09f8e7d6c5b4a3928170615e";

/// What has to be cleared away if this program is told to end.
struct Traces {
    processes: Vec<u32>,
    folders: Vec<PathBuf>,
}

static TRACES: Mutex<Traces> = Mutex::new(Traces { processes: Vec::new(), folders: Vec::new() });

fn traces() -> MutexGuard<'static, Traces> {
    TRACES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the servers along when a signal ends this program. The task lives as long as what is returned.
pub(crate) fn end_together(runtime: &Runtime) -> Outcome<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    let _context = runtime.enter();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut told = signal(kind)?;
        tasks.spawn(async move {
            told.recv().await;
            let Traces { processes, folders } = &*traces();
            for process in processes {
                Tree(*process).kill();
            }
            for folder in folders {
                // Nobody is left to be told that this did not work.
                let _: io::Result<()> = fs::remove_dir_all(folder);
            }
            std::process::exit(128 + kind.as_raw_value());
        });
    }
    Ok(tasks)
}

/// A temporary folder that goes with this program, however that ends.
pub(crate) fn folder() -> Outcome<TempDir> {
    let folder = TempDir::with_prefix("countersign-side-by-side-")?;
    traces().folders.push(folder.path().to_owned());
    Ok(folder)
}

/// A process of ours with those it starts. All are killed when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(command: &mut Command) -> Outcome<Self> {
        let child = command.process_group(0).spawn().doing(command.get_program().display())?;
        traces().processes.push(child.id());
        Ok(Self(child))
    }

    pub(crate) fn tree(&self) -> Tree {
        Tree(self.0.id())
    }

    /// Closes its standard input, which some take as a sign, and waits for a while.
    pub(crate) fn ask_to_end(&mut self) {
        drop(self.0.stdin.take());
        let begun = Instant::now();
        while begun.elapsed() < STOP_MAX && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let own = self.0.id();
        // Before it is waited for: from then on the number may become that of another process.
        self.tree().kill();
        traces().processes.retain(|process| *process != own);
        let _: io::Result<ExitStatus> = self.0.wait();
    }
}

/// What a contestant needs to be started: a database, a folder and a secret.
pub(crate) struct Installation<'b> {
    pub(crate) contestant: &'b Contestant,
    pub(crate) database: Database,
    folder: TempDir,
    work: &'b Path,
    secret_key: String,
    /// What asks our server about tokens.
    pub(crate) introspection_secret: String,
    beside: Option<Tree>,
}

impl<'b> Installation<'b> {
    /// With an empty database.
    pub(crate) fn new(bench: &'b Bench, contestant: &'b Contestant, database: Database) -> Outcome<Self> {
        let folder = folder()?;
        fs::create_dir(folder.path().join("data"))?;
        let beside = database.server();
        let secret_key = PEER_SECRET.to_owned();
        let mut installation = Self {
            contestant,
            database,
            folder,
            work: &bench.work,
            secret_key,
            introspection_secret: String::new(),
            beside,
        };
        if contestant.dialect == Dialect::Ours {
            let secret_key = installation.run("secret")?;
            secret_key.trim().clone_into(&mut installation.secret_key);
            let secret = installation.run("secret")?;
            secret.trim().clone_into(&mut installation.introspection_secret);
            installation.run("migrate up")?;
        }
        Ok(installation)
    }

    /// On a file of its own in a new folder.
    pub(crate) fn on_sqlite(bench: &'b Bench, contestant: &'b Contestant) -> Outcome<Self> {
        Self::new(bench, contestant, Database::Sqlite)
    }

    /// The file of its database, if it is one.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("accounts.db")
    }

    pub(crate) fn database_url(&self) -> String {
        match &self.database {
            Database::Sqlite => format!("sqlite:{}", self.file().display()),
            Database::Postgres { url, .. } => url.clone(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.contestant.program);
        command.current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.envs(COSTS).env("DATABASE_URL", self.database_url()).env("SECRET_KEY", &self.secret_key);
        // Longer than a run.
        command.env("ACCESS_TOKEN_EXPIRE_MINUTES", "1440");
        let data = self.folder.path().join("data");
        if self.contestant.dialect == Dialect::Ours {
            // One client stands for many here. Every request is logged, as in production.
            command.env("RATE_LIMITS", "off").env("LOG", "info").env("MEDIA_DIR", data);
            command.env("FRONTEND_URL", "http://localhost:8000");
            command.env("INTROSPECTION_SECRET", &self.introspection_secret);
        } else {
            // Peers are scripts.
            for name in ["PATH", "HOME"] {
                command.envs(std::env::var_os(name).map(|value| (name, value)));
            }
            command.env("DATA_DIR", data).env("BENCH_WORK", self.work);
        }
        command
    }

    /// What a command of ours says.
    fn run(&self, arguments: &str) -> Outcome<String> {
        let mut command = self.command();
        if arguments == "secret" {
            command.env_remove("SECRET_KEY");
        }
        let output = command.args(arguments.split(' ')).output().doing(self.contestant.program.display())?;
        if !output.status.success() {
            return Err(Broken(format!("`{arguments}`: {}", String::from_utf8_lossy(&output.stderr).trim())));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts a server; it answers when this returns.
    pub(crate) async fn start(&self, settings: &[(&str, &str)]) -> Outcome<Server> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = self.command();
        if self.contestant.dialect == Dialect::Ours {
            command.arg("serve");
        }
        command.env("PORT", port.to_string()).envs(settings.iter().copied());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let begun = Instant::now();
        let process = Process::start(&mut command)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut server = Server { process, address, beside: self.beside, start: Duration::ZERO };
        let name = &self.contestant.name;
        while begun.elapsed() < START_MAX {
            if let Some(status) = server.process.0.try_wait()? {
                return Err(Broken(format!("{name} ended at once, {status}; started as {command:?}")));
            }
            if server.is_up().await {
                server.start = begun.elapsed();
                return Ok(server);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(Broken(format!("{name} did not answer within {START_MAX:?}; started as {command:?}")))
    }
}

/// A running server. It is killed when dropped; [`Server::stop`] asks first.
pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
    /// What works for it, such as its database.
    pub(crate) beside: Option<Tree>,
    /// From starting the process to the first answer.
    pub(crate) start: Duration,
}

impl Server {
    async fn is_up(&self) -> bool {
        let health = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let answered = async { Connection::open(self.address).await?.ask(health).await.map(|a| a.status) };
        answered.await.is_ok_and(|status| status == 200)
    }

    pub(crate) fn tree(&self) -> Tree {
        self.process.tree()
    }

    /// Ends the server as a process manager does. What it leaves in the way of status is its own affair.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM).doing("ending a server")?;
        let begun = Instant::now();
        while begun.elapsed() < STOP_MAX {
            if self.process.0.try_wait()?.is_some() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
        Err(Broken(format!("a server did not end within {STOP_MAX:?} after SIGTERM")))
    }
}

/// The limit: a server that gives one answer to everybody.
pub(crate) struct Bare(pub(crate) Server);

impl Bare {
    /// Gives the same answer at this path as was got from a server.
    pub(crate) fn start(program: &Path, path: &str, answer: &Answer<'_>) -> Outcome<Self> {
        let head = String::from_utf8_lossy(answer.head).into_owned();
        // hyper adds the others itself.
        let added = |name: &str| ["date", "content-length"].iter().any(|other| name.eq_ignore_ascii_case(other));
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers: Vec<(&str, &str)> = headers.filter(|(name, _)| !added(name)).collect();
        let mut command = Command::new(program);
        command.arg(path.split('?').next().unwrap_or(path)).arg(serde_json::to_string(&headers)?);
        command.arg(String::from_utf8_lossy(answer.body).as_ref());
        let mut process = Process::start(command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let output = process.0.stdout.take().ok_or_else(|| Broken("the bare server has no output".to_owned()))?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().doing("the bare server's address")?;
        Ok(Self(Server { process, address, beside: None, start: Duration::ZERO }))
    }
}

/// Lets what was just measured come to rest.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(30)).await;
}
