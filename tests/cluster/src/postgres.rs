//! PostgreSQL servers for these tests: durable, unlike those of other tests, in a temporary folder, on a local port, with
//! an optional standby.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::broken::{Broken, Outcome};

const START_MAX: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);

/// A PostgreSQL server, killed when dropped.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    pub(crate) address: SocketAddr,
    server: Option<Child>,
}

impl Postgres {
    /// Starts a new server with an empty database `app`.
    pub(crate) fn start() -> Outcome<Self> {
        let mut postgres = Self::prepare()?;
        let data = postgres.data();
        postgres.run(
            "initdb",
            &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "--wal-segsize=1"],
        )?;
        postgres.begin()?;
        postgres.execute("postgres", "CREATE DATABASE app")?;
        Ok(postgres)
    }

    /// Starts a synchronous standby of this server, which from now on acknowledges no write without it.
    pub(crate) fn synchronous_standby(&self) -> Outcome<Self> {
        let mut standby = Self::prepare()?;
        let (from, data) = (self.connection("postgres") + " application_name=standby", standby.data());
        standby.run("pg_basebackup", &["-d", &from, "-D", &data, "-R", "-X", "stream", "-c", "fast", "-N"])?;
        standby.begin()?;
        self.execute("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'")?;
        self.execute("postgres", "SELECT pg_reload_conf()")?;
        let begun = Instant::now();
        while self.execute("postgres", "SELECT sync_state FROM pg_stat_replication")?.trim() != "sync" {
            if begun.elapsed() > START_MAX {
                return Err(Broken("the standby does not follow".to_owned()));
            }
            sleep(POLL);
        }
        Ok(standby)
    }

    fn prepare() -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("pg-").tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        own(folder.path())?;
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        Ok(Self { programs: programs_folder()?, folder, address, server: None })
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    /// The application's URL for a server at this address.
    pub(crate) fn url(address: SocketAddr) -> String {
        format!("postgres://postgres@{address}/app")
    }

    fn connection(&self, database: &str) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname={database}", self.address.port())
    }

    /// Starts the server in its folder and waits until it accepts connections. After a crash it recovers first.
    pub(crate) fn begin(&mut self) -> Outcome<()> {
        let log = File::options().create(true).append(true).open(self.folder.path().join("log"))?;
        let mut command = self.command("postgres");
        command.args(["-D", &self.data(), "-k", &self.folder.path().display().to_string()]);
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={}", self.address.port())]);
        command.args(["-c", "max_connections=100", "-c", "shared_buffers=32MB"]);
        self.server = Some(command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?);
        let begun = Instant::now();
        while self.execute("postgres", "SELECT 1").is_err() {
            if begun.elapsed() > START_MAX {
                return Err(Broken(format!("PostgreSQL does not start: {}", self.last_words())));
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// Starts it again if it was killed.
    pub(crate) fn begin_if_killed(&mut self) -> Outcome<()> {
        if self.server.is_none() { self.begin() } else { Ok(()) }
    }

    /// Kills the server and all its processes, like a power cut.
    pub(crate) fn kill(&mut self) -> Outcome<()> {
        let Some(mut server) = self.server.take() else { return Ok(()) };
        let children = children_of(server.id());
        server.kill()?;
        // They soon notice that their parent is gone, but may respond until then.
        for child in children {
            Command::new("kill").args(["-9", &child.to_string()]).stderr(Stdio::null()).status()?;
        }
        server.wait()?;
        Ok(())
    }

    /// Limits the size of the files that the server writes from now on.
    pub(crate) fn limit_files(&self, length: &str) -> Outcome<()> {
        let own = self.server.as_ref().map(Child::id);
        let processes = own.into_iter().flat_map(|own| std::iter::once(own).chain(children_of(own)));
        limit_files(processes, length, || self.command("/usr/bin/prlimit"))
    }

    /// Promotes a standby to primary.
    pub(crate) fn promote(&self) -> Outcome<()> {
        match self.execute("postgres", "SELECT pg_promote()")?.trim() {
            "t" => Ok(()),
            other => Err(Broken(format!("pg_promote said {other:?}"))),
        }
    }

    /// Runs a statement and returns its bare output.
    pub(crate) fn execute(&self, database: &str, statement: &str) -> Outcome<String> {
        self.run("psql", &["-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", &self.connection(database), "-c", statement])
    }

    /// Reads every table and index and compares them.
    pub(crate) fn check_whole(&self) -> Outcome<()> {
        let port = self.address.port().to_string();
        let at = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres"];
        let how = ["--install-missing", "--heapallindexed", "-d", "app"];
        self.run("pg_amcheck", &[&at[..], &how].concat()).map(drop)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Outcome<String> {
        let output = self.command(program).args(arguments).stdin(Stdio::null()).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = [output.stdout, output.stderr].concat();
        Err(Broken(format!("{program}: {}", String::from_utf8_lossy(&said).trim())))
    }

    /// A command that runs as another user if we are root, because PostgreSQL refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command = match server_user() {
            None => Command::new(path),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups"]).arg(path);
                command
            }
        };
        command.current_dir("/");
        command
    }

    fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines().last().unwrap_or_default().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Limits the size of the files that these processes write from now on, with `prlimit` (util-linux) run as their user.
pub(crate) fn limit_files(
    processes: impl IntoIterator<Item = u32>,
    length: &str,
    prlimit: impl Fn() -> Command,
) -> Outcome<()> {
    for process in processes {
        let bound = format!("--fsize={length}:unlimited");
        let set = prlimit().args(["--pid", &process.to_string(), &bound]).output()?;
        // A connection may have ended meanwhile.
        if !set.status.success() && Path::new(&format!("/proc/{process}")).exists() {
            return Err(Broken(String::from_utf8_lossy(&set.stderr).into_owned()));
        }
    }
    Ok(())
}

/// Gives a folder to the user of the servers.
pub(crate) fn own(folder: &Path) -> Outcome<()> {
    let Some(user) = server_user() else { return Ok(()) };
    let owned = Command::new("chown").arg(user).arg(folder).status()?;
    if owned.success() { Ok(()) } else { Err(Broken(format!("chown {user} failed"))) }
}

fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |process: &u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        fields.split_whitespace().nth(1).and_then(|found| found.parse().ok()) == Some(parent)
    };
    numbers.filter(is_child).collect()
}

/// Finds the programs in Debian's folder per version, or on the path.
fn programs_folder() -> Outcome<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = debian.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.extend(["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"].map(PathBuf::from));
    let has_all = |folder: &Path| folder.join("initdb").exists() && folder.join("postgres").exists();
    let found = folders.into_iter().find(|folder| has_all(folder));
    found.ok_or_else(|| Broken("PostgreSQL's server is needed: install the package `postgresql`".to_owned()))
}

/// The user of the server if we are root.
fn server_user() -> Option<&'static str> {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
    is_root.then(|| {
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        if users.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" }
    })
}
