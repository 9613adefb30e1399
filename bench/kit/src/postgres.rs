//! A PostgreSQL server for one run, in a temporary folder and on a free port of 127.0.0.1.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use crate::broken::{Broken, Outcome, While as _, broken};
use crate::process::{Process, Tree, folder};
use crate::server::free_port;

/// How long the server may take to start on a busy machine.
const START_MAX: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// Initialises and runs the server in folder `$1` with the programs of folder `$2` on port `$3`, until standard input closes.
/// The further arguments are the server's.
const KEEPER: &str = r#"
set -eu
folder=$1 programs=$2 port=$3
shift 3
"$programs/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$folder/log" 2>&1
"$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses=127.0.0.1 -c port="$port" -c max_connections=200 \
    "$@" >>"$folder/log" 2>&1 &
server=$!
cat >/dev/null || true
kill -INT "$server" || true
wait "$server" || true
"#;

/// Without durability, for benchmarks that do not measure writes.
pub const VOLATILE: [&str; 4] = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB"];

pub struct Postgres {
    port: u16,
    programs: PathBuf,
    databases: AtomicU32,
    /// Before the folder: it is ended first.
    process: Process,
    folder: TempDir,
}

impl Postgres {
    /// With these settings of `postgresql.conf` instead of the defaults.
    pub fn start(settings: &[&str]) -> Outcome<Self> {
        let programs = programs_folder()?;
        let (folder, port) = (folder()?, free_port()?);
        let user = server_user();
        if let Some((_, owner)) = user {
            let done = Command::new("chown").arg(owner).arg(folder.path()).status().doing("chown")?;
            if !done.success() {
                return broken(format!("chown {owner} {}: {done}", folder.path().display()));
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
        command.args(settings.iter().flat_map(|setting| ["-c", setting]));
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Process::start(&mut command)?;
        let postgres = Self { port, programs, databases: AtomicU32::new(0), process, folder };
        postgres.wait_until_ready()?;
        Ok(postgres)
    }

    fn wait_until_ready(&self) -> Outcome<()> {
        let begun = Instant::now();
        while begun.elapsed() < START_MAX {
            if self.client("pg_isready").arg("-q").status().doing("pg_isready")?.success() {
                return Ok(());
            }
            thread::sleep(POLL);
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        broken(format!("PostgreSQL did not start within {START_MAX:?}: {log}"))
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.args(["-U", "postgres", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command
    }

    pub fn tree(&self) -> Tree {
        self.process.tree()
    }

    /// The URL of a new, empty database.
    pub fn database(&self) -> Outcome<String> {
        let name = format!("bench_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let made = self.client("createdb").arg(&name).output().doing("createdb")?;
        if !made.status.success() {
            return broken(format!("createdb: {}", String::from_utf8_lossy(&made.stderr).trim()));
        }
        Ok(format!("postgres://postgres@127.0.0.1:{}/{name}", self.port))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its backends are in sessions of their own, so it has to end them.
        self.process.close_input();
    }
}

/// The server's programs: where Debian keeps them for each version, or on the path.
fn programs_folder() -> Outcome<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = debian.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.extend(["/usr/local/bin", "/usr/bin"].map(PathBuf::from));
    let has_server = |folder: &Path| folder.join("initdb").exists() && folder.join("postgres").exists();
    let found = folders.into_iter().find(|folder| has_server(folder));
    found.ok_or_else(|| Broken("PostgreSQL's server is missing: install the package `postgresql`".to_owned()))
}

/// PostgreSQL refuses to run as root: then the user to run it as, and the argument of `chown`.
fn server_user() -> Option<(&'static str, &'static str)> {
    if !fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let is_there = users.lines().any(|line| line.starts_with("postgres:"));
    Some(if is_there { ("postgres", "postgres:postgres") } else { ("nobody", "nobody:nogroup") })
}
