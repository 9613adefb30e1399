//! Decides how the PostgreSQL of a run lives: initialised in a temporary folder, on a free port of this machine, as durable as
//! it comes, and gone with this program.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use crate::broken::{Broken, Outcome, While as _};
use crate::processes::Tree;
use crate::server::{Process, folder};

/// How long a server may take to start on a busy machine.
const START_MAX: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// Initialises and runs the server in folder `$1` with the programs of folder `$2` on port `$3`, until standard input closes.
/// What differs from its defaults is what every guide says to raise first.
const KEEPER: &str = r#"
set -eu
"$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$1/log" 2>&1
"$2/postgres" -D "$1/data" -k "$1" -c listen_addresses=127.0.0.1 -c port="$3" -c max_connections=200 \
    -c shared_buffers=1GB -c max_wal_size=4GB >>"$1/log" 2>&1 &
server=$!
cat >/dev/null || true
kill -INT "$server" || true
wait "$server" || true
"#;

/// Where a contestant keeps its accounts.
#[derive(Clone)]
pub(crate) enum Database {
    /// A file in the contestant's folder.
    Sqlite,
    Postgres {
        url: String,
        server: Tree,
    },
}

impl Database {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres { .. } => "postgres",
        }
    }

    pub(crate) fn title(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres { .. } => "PostgreSQL",
        }
    }

    /// The processes that are not the contestant's own.
    pub(crate) fn server(&self) -> Option<Tree> {
        match self {
            Self::Sqlite => None,
            Self::Postgres { server, .. } => Some(*server),
        }
    }
}

pub(crate) struct Cluster {
    port: u16,
    databases: AtomicU32,
    /// Before the folder: it is ended first.
    process: Process,
    folder: TempDir,
}

impl Cluster {
    pub(crate) fn start() -> Outcome<Self> {
        let programs = programs_folder()?;
        let folder = folder()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        // PostgreSQL refuses to run as root: then it runs as the user that Debian's package makes, or as nobody.
        let user = server_user();
        if let Some((_, owner)) = user {
            let done = Command::new("chown").arg(owner).arg(folder.path()).status().doing("chown")?;
            if !done.success() {
                return Err(Broken(format!("chown {owner} {}: {done}", folder.path().display())));
            }
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let mut command = match user {
            None => Command::new("sh"),
            Some((user, _)) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups", "sh"]);
                command
            }
        };
        command.args(["-c", KEEPER, "keeper"]).arg(folder.path()).arg(&programs).arg(port.to_string());
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let cluster = Self { port, databases: AtomicU32::new(0), process: Process::start(&mut command)?, folder };
        cluster.wait_until_ready(&programs)?;
        Ok(cluster)
    }

    fn wait_until_ready(&self, programs: &Path) -> Outcome<()> {
        let begun = Instant::now();
        while begun.elapsed() < START_MAX {
            let mut command = Command::new(programs.join("pg_isready"));
            let port = self.port.to_string();
            command.args(["-q", "-U", "postgres", "-h", "127.0.0.1", "-p", &port]);
            if command.status().doing("pg_isready")?.success() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        Err(Broken(format!("PostgreSQL did not start within {START_MAX:?}: {log}")))
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// A new and empty one.
    pub(crate) async fn database(&self) -> Outcome<Database> {
        let name = format!("bench_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await?;
        connection.close().await?;
        Ok(Database::Postgres { url: self.url(&name), server: self.process.tree() })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Its backends are in sessions of their own, so it has to be asked to end them.
        self.process.ask_to_end();
    }
}

/// The server's programs: where Debian keeps each version's, or on the path.
fn programs_folder() -> Outcome<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = debian.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.extend(["/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    let found = folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists());
    found.ok_or_else(|| Broken("PostgreSQL's server is missing: install the package `postgresql`".to_owned()))
}

/// The user to run the server as and the `chown` argument, when this program is root's; otherwise nothing is changed.
fn server_user() -> Option<(&'static str, &'static str)> {
    if !fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let is_there = users.lines().any(|line| line.starts_with("postgres:"));
    Some(if is_there { ("postgres", "postgres:postgres") } else { ("nobody", "nobody:nogroup") })
}
