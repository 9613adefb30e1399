//! The PostgreSQL server of a test run: initialized in a temporary folder, reachable by a Unix socket or through a
//! pooler, and stopped with the process that started it, however that ends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::Mutex;

use super::distance;
use super::pooler::{self, Reach};

pub(super) struct Cluster {
    /// Held while databases are created; see the caller.
    pub(super) turn: Mutex<()>,
    pub(super) reach: Reach,
    folder: PathBuf,
    /// Its standard input stays open while this process lives; when it closes, the script stops the server.
    _keeper: Child,
}

/// The options of a cluster.
#[derive(Default)]
pub(super) struct Plan<'p> {
    pub(super) reach: Reach,
    /// Lines added to the pooler's default settings.
    pub(super) pooler_settings: &'p str,
    /// Names and contents of files in the folder above the server's data folder; a `pg_hba.conf` is copied into it.
    pub(super) files: &'p [(&'p str, &'p str)],
    /// Arguments of the server.
    pub(super) options: &'p [&'p str],
}

/// Time limit for the server to start on a busy machine.
const START_TIME_MAX: Duration = Duration::from_mins(1);

/// Initializes and runs the server in folder `$1` with the programs of folder `$2`, the pooler `$3` unless it is empty,
/// and the remaining arguments, until standard input closes. Durability is off, because test databases need not survive
/// a crash.
const KEEPER: &str = r#"
set -eu
folder=$1 programs=$2 pooler=$3
shift 3
"$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$folder/log" 2>&1
if [ -f "$folder/pg_hba.conf" ]; then cp "$folder/pg_hba.conf" "$folder/data"; fi
"$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off -c max_connections=200 -c shared_buffers=32MB "$@" >>"$folder/log" 2>&1 &
server=$!
if [ -n "$pooler" ]; then
    "$pooler" -q "$folder/pooler/settings" >>"$folder/log" 2>&1 &
    pooler=$!
fi
cat >/dev/null || true
# It has nothing to lose, and which of the milder signals it heeds differs between versions.
if [ -n "$pooler" ]; then kill -KILL "$pooler" || true; fi
kill -INT "$server" || true
wait "$server" || true
rm -rf "$folder"
"#;

impl Cluster {
    /// Returns the one cluster of this process, started on first use.
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&Plan { reach: super::reach_under_test(), ..Plan::default() }))
    }

    pub(super) fn start(plan: &Plan<'_>) -> Self {
        let programs = programs_folder();
        let reach = plan.reach;
        let folder = tempfile::Builder::new().prefix("pg-").tempdir().expect("a temporary folder can be made").keep();
        // PostgreSQL refuses to run as root, so it then runs as the user of Debian's package, or as nobody.
        let (user, owner) = server_user();
        let pooler = if reach.is_pooled() { pooler_program() } else { PathBuf::new() };
        fs::create_dir(folder.join("pooler")).expect("our own folder");
        fs::write(folder.join("pooler/settings"), pooler::settings(reach, &folder) + plan.pooler_settings)
            .expect("our own folder");
        for (name, content) in plan.files {
            fs::write(folder.join(name), content).expect("our own folder");
            // The server refuses key files that others can read.
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).expect("our own folder");
        }
        if let Some(owner) = owner {
            let done = Command::new("chown").arg("-R").arg(owner).arg(&folder).status().expect("chown can be run");
            assert!(done.success(), "chown {owner} failed");
        }
        // Other users' tests must be able to reach the socket, and the folder holds test data only.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("our own folder");
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
            .arg(&pooler)
            .args(plan.options)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh can be run");
        let cluster = Self { turn: Mutex::new(()), reach, folder, _keeper: keeper };
        cluster.wait_until_ready(&programs, &cluster.folder);
        if reach == Reach::Far {
            distance::forward(&cluster.folder.join("pooler"), &cluster.folder);
        }
        if reach != Reach::Direct {
            cluster.wait_until_ready(&programs, &cluster.folder.join("pooler"));
        }
        cluster
    }

    fn wait_until_ready(&self, programs: &Path, socket_folder: &Path) {
        let begun = Instant::now();
        loop {
            let ready = Command::new(programs.join("pg_isready"))
                .args(["-q", "-U", "postgres", "-h"])
                .arg(socket_folder)
                .status()
                .expect("pg_isready can be run");
            if ready.success() {
                return;
            }
            if begun.elapsed() > START_TIME_MAX {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("PostgreSQL did not start within {START_TIME_MAX:?}; its log:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Returns the address for tests.
    pub(super) fn url(&self, database: &str) -> String {
        match self.reach {
            Reach::Direct => self.server_url(database),
            Reach::Far | Reach::SessionPooler | Reach::TransactionPooler => {
                Self::url_by(&self.folder.join("pooler"), database) + self.reach.parameters()
            }
        }
    }

    /// Returns the address of the server itself.
    pub(super) fn server_url(&self, database: &str) -> String {
        Self::url_by(&self.folder, database)
    }

    fn url_by(socket_folder: &Path, database: &str) -> String {
        let socket = socket_folder.to_str().expect("temporary folders have plain names").replace('/', "%2F");
        format!("postgres://postgres@{socket}/{database}")
    }

    /// Runs a statement on the administration database. It may contain only names that the harness made.
    pub(super) async fn execute(&self, statement: &str) -> Result<(), sqlx::Error> {
        let mut conn = PgConnection::connect(&self.server_url("postgres")).await?;
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut conn).await?;
        conn.close().await
    }
}

/// Returns the folder of the server's programs: Debian's folder of the newest version, or a usual one.
fn programs_folder() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = debian.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.extend(["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"].map(PathBuf::from));
    folders
        .into_iter()
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
        .expect("tests on PostgreSQL need its server: run `scripts/test`, or install the package `postgresql`")
}

/// Returns the pooler's program, from a usual folder.
fn pooler_program() -> PathBuf {
    ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer", "/opt/homebrew/bin/pgbouncer"]
        .into_iter()
        .map(PathBuf::from)
        .find(|program| program.exists())
        .expect("tests through a pooler need PgBouncer: run `scripts/test`, or install the package `pgbouncer`")
}

/// Returns the user to run the server as and the `chown` argument if we are root; otherwise nothing changes.
fn server_user() -> (Option<&'static str>, Option<&'static str>) {
    let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        return (None, None);
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    if users.lines().any(|line| line.starts_with("postgres:")) {
        (Some("postgres"), Some("postgres:postgres"))
    } else {
        (Some("nobody"), Some("nobody:nogroup"))
    }
}
