//! Decides how the PostgreSQL of a test run lives: initialised in a temporary folder, reachable by a unix socket alone,
//! gone with the process that started it, however that ends.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::Mutex;

pub(super) struct Cluster {
    /// Held while databases are created; see the caller.
    pub(super) turn: Mutex<()>,
    folder: PathBuf,
    /// Its standard input stays open as long as this process lives; when it closes, the script ends the server.
    _keeper: Child,
}

/// How long a server may take to start on a busy machine.
const START_TIME_MAX: Duration = Duration::from_mins(1);

/// Initialises and runs the server in folder `$1` with the programs of folder `$2`, until standard input closes.
/// Durability is off: a test's database need not survive anything.
const KEEPER: &str = r#"
set -eu
"$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$1/log" 2>&1
"$2/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c max_connections=200 -c shared_buffers=32MB >>"$1/log" 2>&1 &
server=$!
cat >/dev/null || true
kill -INT "$server" || true
wait "$server" || true
rm -rf "$1"
"#;

impl Cluster {
    /// The one cluster of this process, started on first use.
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let programs = programs_folder();
        let folder = tempfile::Builder::new().prefix("pg-").tempdir().expect("a temporary folder can be made").keep();
        // PostgreSQL refuses to run as root: then it runs as the user that Debian's package makes, or as nobody.
        let (user, owner) = server_user();
        if let Some(owner) = owner {
            let done = Command::new("chown").arg(owner).arg(&folder).status().expect("chown can be run");
            assert!(done.success(), "chown {owner} failed");
        }
        // Other users' tests must be able to reach the socket, nobody else's data is in here.
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("our own folder");
        let mut command = match user {
            None => Command::new("sh"),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups", "sh"]);
                command
            }
        };
        let keeper = command
            .args(["-c", KEEPER, "keeper"])
            .arg(&folder)
            .arg(&programs)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh can be run");
        let cluster = Self { turn: Mutex::new(()), folder, _keeper: keeper };
        cluster.wait_until_ready(&programs);
        cluster
    }

    fn wait_until_ready(&self, programs: &Path) {
        let begun = Instant::now();
        loop {
            let ready = Command::new(programs.join("pg_isready"))
                .args(["-q", "-U", "postgres", "-h"])
                .arg(&self.folder)
                .status()
                .expect("pg_isready can be run");
            if ready.success() {
                return;
            }
            if begun.elapsed() > START_TIME_MAX {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("PostgreSQL did not start within {START_TIME_MAX:?}; its log:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(super) fn url(&self, database: &str) -> String {
        let socket = self.folder.to_str().expect("temporary folders have plain names").replace('/', "%2F");
        format!("postgres://postgres@{socket}/{database}")
    }

    /// Runs a statement on the administration database; only the harness's own names go into it.
    pub(super) async fn execute(&self, statement: &str) -> Result<(), sqlx::Error> {
        let mut conn = PgConnection::connect(&self.url("postgres")).await?;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut conn).await?;
        conn.close().await
    }
}

/// The server's programs: on the path, or where Debian keeps each version's.
fn programs_folder() -> PathBuf {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = debian.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.extend(["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"].map(PathBuf::from));
    folders
        .into_iter()
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .expect("tests on PostgreSQL need its server: run `scripts/test`, or install the package `postgresql`")
}

/// The user to run the server as and the `chown` argument, when we are root; otherwise nothing is changed.
fn server_user() -> (Option<&'static str>, Option<&'static str>) {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        return (None, None);
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if users.lines().any(|line| line.starts_with("postgres:")) {
        (Some("postgres"), Some("postgres:postgres"))
    } else {
        (Some("nobody"), Some("nobody:nogroup"))
    }
}
