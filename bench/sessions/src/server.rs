//! How servers are set up, started and ended: in a temporary folder, with a clean environment, on free ports of this
//! machine.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::broken::{Broken, Outcome, While as _};
use crate::http::{Answer, Connection, get};
use crate::machine::cpu_in_ticks;

const START_MAX: Duration = Duration::from_secs(30);
const STOP_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// The cheapest that the server allows: sessions are measured here, and logins are only the way to them.
const CHEAP_LOGINS: [(&str, &str); 3] =
    [("ARGON2_MEMORY_KIB", "19456"), ("ARGON2_ITERATIONS", "2"), ("ARGON2_LANES", "1")];

/// What has to be cleared away if this program is told to end.
struct Traces {
    processes: Vec<Pid>,
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
            // Nobody is left to be told that one of these did not work.
            for process in processes {
                let _: rustix::io::Result<()> = kill_process(*process, Signal::KILL);
            }
            for folder in folders {
                let _: io::Result<()> = fs::remove_dir_all(folder);
            }
            std::process::exit(128 + kind.as_raw_value());
        });
    }
    Ok(tasks)
}

/// A process of ours. It is killed when dropped.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Outcome<Self> {
        let child = command.spawn().doing("starting a server")?;
        traces().processes.push(Pid::from_child(&child));
        Ok(Self(child))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // From here on the number may become that of another process.
        let own = Pid::from_child(&self.0);
        traces().processes.retain(|process| *process != own);
        // It may have ended already; `kill` then does nothing, because the child has been waited for.
        let _: io::Result<()> = self.0.kill();
        let _: io::Result<ExitStatus> = self.0.wait();
    }
}

/// A database and a secret with which servers can be started.
pub(crate) struct Installation {
    program: PathBuf,
    folder: TempDir,
    pub(crate) database_url: String,
    /// Of every server and command.
    settings: Vec<(&'static str, String)>,
}

impl Installation {
    /// With an empty database.
    pub(crate) fn new(program: &Path, database_url: &str) -> Outcome<Self> {
        let program = program.canonicalize().doing(program.display())?;
        let folder = TempDir::with_prefix("countersign-sessions-")?;
        traces().folders.push(folder.path().to_owned());
        let mut installation = Self { program, folder, database_url: database_url.to_owned(), settings: Vec::new() };
        installation.set("FRONTEND_URL", "http://localhost:8000");
        let secret_key = installation.secret_key()?;
        installation.set("SECRET_KEY", &secret_key);
        installation.run("migrate up")?;
        Ok(installation)
    }

    /// A new one, that is not used yet.
    pub(crate) fn secret_key(&self) -> Outcome<String> {
        Ok(self.run("secret")?.trim().to_owned())
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.settings.retain(|(found, _)| *found != name);
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        self.settings.iter().find(|(found, _)| *found == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        self.unset(name);
        self.settings.push((name, value.to_owned()));
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments.split(' ')).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("DATABASE_URL", &self.database_url).envs(CHEAP_LOGINS);
        // One client stands for many here.
        command.env("RATE_LIMITS", "off");
        // Longer than a run.
        command.env("ACCESS_TOKEN_EXPIRE_MINUTES", "1440").env("RATE_LIMITS", "off");
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
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

    /// Starts a server; it answers when this returns.
    pub(crate) async fn start(&self, log: Log, settings: &[(&str, &str)]) -> Outcome<Server> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        self.start_at(port, log, settings).await
    }

    pub(crate) async fn start_at(&self, port: u16, log: Log, settings: &[(&str, &str)]) -> Outcome<Server> {
        let path = self.folder.path().join(format!("server-{port}.log"));
        let mut command = self.command("serve");
        command.env("PORT", port.to_string()).envs(settings.iter().copied()).stdout(Stdio::null());
        match log {
            Log::Nowhere => command.env("LOG", "info").stderr(Stdio::null()),
            Log::WarningsNowhere => command.env("LOG", "warn").stderr(Stdio::null()),
            Log::Warnings => command.env("LOG", "warn").stderr(File::options().create(true).append(true).open(&path)?),
        };
        let process = Process::start(&mut command)?;
        let mut server = Server { process, log: path, address: SocketAddr::from(([127, 0, 0, 1], port)) };
        let begun = Instant::now();
        while begun.elapsed() < START_MAX {
            if let Some(status) = server.process.0.try_wait()? {
                return Err(Broken(format!("the server ended at once, {status}: {}", server.last_words())));
            }
            if server.is_up().await {
                return Ok(server);
            }
            tokio::time::sleep(POLL).await;
        }
        Err(Broken(format!("the server did not answer within {START_MAX:?}: {}", server.last_words())))
    }
}

/// Where a server's log goes.
#[derive(Clone, Copy)]
pub(crate) enum Log {
    /// Every request, as in production, but to `/dev/null`.
    Nowhere,
    /// Warnings, to `/dev/null`.
    WarningsNowhere,
    /// Warnings, to a file that is looked at in the end.
    Warnings,
}

/// A running server. It is killed when dropped; [`Server::stop`] asks first.
pub(crate) struct Server {
    process: Process,
    log: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Server {
    async fn is_up(&self) -> bool {
        let answered = async { Connection::open(self.address).await?.ask(&get("/health", "")).await.map(|a| a.status) };
        answered.await.is_ok_and(|status| status == 200)
    }

    /// What it and those before it at the same port have logged so far.
    pub(crate) fn log_text(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn last_words(&self) -> String {
        self.log_text().lines().last().unwrap_or_default().to_owned()
    }

    /// What it has logged as errors so far.
    pub(crate) fn errors(&self) -> Vec<String> {
        let text = self.log_text();
        text.lines().filter(|line| line.contains(r#""level":"ERROR""#)).map(str::to_owned).collect()
    }

    pub(crate) fn process(&self) -> u32 {
        self.process.0.id()
    }

    /// Ends the server as a process manager does.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM).doing("ending the server")?;
        let begun = Instant::now();
        while begun.elapsed() < STOP_MAX {
            if let Some(status) = self.process.0.try_wait()? {
                return if status.success() { Ok(()) } else { Err(Broken(format!("the server ended with {status}"))) };
            }
            tokio::time::sleep(POLL).await;
        }
        Err(Broken(format!("the server did not end within {STOP_MAX:?} after SIGTERM")))
    }
}

/// The yardstick: a server that gives one answer to everybody.
pub(crate) struct Bare {
    process: Process,
    pub(crate) address: SocketAddr,
}

impl Bare {
    /// Gives the same answer as was got from a server.
    pub(crate) fn start(program: &Path, answer: &Answer<'_>) -> Outcome<Self> {
        let head = String::from_utf8_lossy(answer.head).into_owned();
        // hyper adds the others itself.
        let added = |name: &str| ["date", "content-length"].iter().any(|other| name.eq_ignore_ascii_case(other));
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers: Vec<(&str, &str)> = headers.filter(|(name, _)| !added(name)).collect();
        let mut command = Command::new(program);
        command
            .arg("/api/users/me")
            .arg(serde_json::to_string(&headers)?)
            .arg(String::from_utf8_lossy(answer.body).as_ref());
        let mut process = Process::start(command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        let output = process.0.stdout.take().ok_or_else(|| Broken("the bare server has no output".to_owned()))?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().doing("the bare server's address")?;
        Ok(Self { process, address })
    }

    pub(crate) fn process(&self) -> u32 {
        self.process.0.id()
    }
}

/// What a process has spent so far, on all its threads.
pub(crate) fn cpu(process: u32) -> Outcome<Duration> {
    cpu_in_ticks(&PathBuf::from(format!("/proc/{process}/stat")))
}

/// Lets what was just measured come to rest.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(30)).await;
}
