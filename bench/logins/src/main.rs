//! The parts, and how much each measures. `README.md` beside this explains the figures.

mod hashing_threads;
mod load;
mod parts;

use std::ops::Range;
use std::process::{Command, ExitCode};
use std::time::Duration;

use bench_kit::account::User;
use bench_kit::broken::{Outcome, While as _, broken};
use bench_kit::client::Connection;
use bench_kit::machine::{Description, raise_open_files};
use bench_kit::parts::{Choice, Part, path};
use bench_kit::runtime;
use bench_kit::server::{Installation, Log, Server};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// For 5,000 clients, with room to spare. The server raises its own limit.
const OPEN_FILES: u64 = 8192;
/// Clients of the full load, and of the queue that is abandoned.
const CLIENTS: usize = 64;
/// Users that are registered before anything is measured.
const USERS: usize = 64;
/// Memory of a hash at the server's default costs.
const HASH_BYTES: u64 = 64 * 1024 * 1024;

/// How much is measured.
struct Scale {
    full_load_rounds: usize,
    engine_window: Duration,
    login_window: Duration,
    wait_seconds_max: u32,
    me_window: Duration,
    disconnect_rounds: usize,
    pairs: usize,
}

/// With the server's default for the longest wait.
const FULL: Scale = Scale {
    full_load_rounds: 7,
    engine_window: Duration::from_secs(2),
    login_window: Duration::from_secs(3),
    wait_seconds_max: 10,
    me_window: Duration::from_secs(30),
    disconnect_rounds: 10,
    pairs: 2000,
};

/// Shows that everything works, but too little for figures to rely on.
const SHORT: Scale = Scale {
    full_load_rounds: 3,
    engine_window: Duration::from_secs(1),
    login_window: Duration::from_millis(1500),
    wait_seconds_max: 3,
    me_window: Duration::from_secs(5),
    disconnect_rounds: 3,
    pairs: 100,
};

/// What every part needs.
pub(crate) struct Bench {
    installation: Installation,
    runtime: Runtime,
    scale: Scale,
}

static PARTS: [Part<Bench>; 7] = [
    Part {
        name: "full-load",
        heading: "64 clients log in without pause, and the bare engine in turn",
        measure: parts::full_load::measure,
    },
    Part { name: "crowd", heading: "1,000 logins at once, half of them wrong", measure: parts::crowd::measure },
    Part {
        name: "me",
        heading: "GET /api/users/me at 100/s while 16 clients log in without pause",
        measure: parts::me::measure,
    },
    Part {
        name: "disconnect",
        heading: "64 waiting logins whose clients disconnect",
        measure: parts::disconnect::measure,
    },
    Part {
        name: "timing",
        heading: "unknown address against wrong password; idle, and while 4 others log in",
        measure: parts::timing::measure,
    },
    Part {
        name: "slowloris",
        heading: "GET /api/users/me while 5,000 connections send a byte of a head every few seconds",
        measure: parts::slowloris::measure,
    },
    // Last, because it changes the users.
    Part {
        name: "recipes",
        heading: "unknown address against wrong password with hashes of five algorithms; idle, and while 4 others log in",
        measure: parts::timing::measure_recipes,
    },
];

fn main() -> ExitCode {
    bench_kit::run(run)
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let program = path(&mut arguments)?;
    let choice = Choice::parse(arguments, &PARTS)?;
    println!("{}", Description::read()?);
    raise_open_files(OPEN_FILES)?;
    let scale = if choice.is_short { SHORT } else { FULL };
    let bench = Bench { installation: Installation::new(&program, &[])?, runtime: runtime()?, scale };
    bench.register(&[], 0..USERS).doing("registering users")?;
    choice.measure(&bench)
}

impl Bench {
    /// A server with these settings instead of the defaults.
    pub(crate) fn start(&self, settings: &[(&str, &str)]) -> Outcome<Server> {
        self.installation.start(Log::Checked, settings)
    }

    /// Registers users over HTTP.
    pub(crate) fn register(&self, settings: &[(&str, &str)], numbers: Range<usize>) -> Outcome<()> {
        let server = self.start(settings)?;
        self.runtime.block_on(async {
            let mut clients = JoinSet::new();
            for user in numbers.map(User) {
                let mut client = Connection::open(server.address).await?;
                clients.spawn(async move { client.ask(&user.registration()).await?.expect(201).map(drop) });
            }
            while let Some(ended) = clients.join_next().await {
                ended??;
            }
            Outcome::Ok(())
        })?;
        server.stop()
    }

    /// Deletes the first users and gives these hashes to the others in turn, as an import from other programs would.
    pub(crate) fn set_hashes(&self, first: usize, hashes: &[&str]) -> Outcome<()> {
        const SCRIPT: &str = "import sqlite3, sys\n\
            db = sqlite3.connect('accounts.db')\n\
            users = db.execute('SELECT id FROM auth_users ORDER BY username_key').fetchall()\n\
            first = int(sys.argv[1])\n\
            db.execute('PRAGMA foreign_keys = ON')\n\
            db.executemany('DELETE FROM auth_users WHERE id = ?', users[:first])\n\
            for number, (user,) in enumerate(users[first:]):\n    \
            hash = sys.argv[2 + number % (len(sys.argv) - 2)]\n    \
            db.execute('UPDATE auth_users SET password_hash = ? WHERE id = ?', (hash, user))\n\
            db.commit()\n";
        let mut python = Command::new("python3");
        python.args(["-c", SCRIPT, &first.to_string()]).args(hashes).current_dir(self.installation.folder());
        let output = python.output().doing("python3")?;
        if output.status.success() { Ok(()) } else { broken(String::from_utf8_lossy(&output.stderr)) }
    }
}
