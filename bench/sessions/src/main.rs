//! The parts, and how much each measures. `README.md` beside this explains the figures.

mod mail_sink;
mod parts;
mod setup;

use std::cell::OnceCell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench_kit::broken::Outcome;
use bench_kit::machine::Description;
use bench_kit::parts::{Choice, Part, path};
use bench_kit::postgres::Postgres;
use bench_kit::runtime;
use tokio::runtime::Runtime;

use setup::Database::{Postgres as OnPostgres, Sqlite as OnSqlite};

/// How much is measured.
struct Scale {
    cost_rounds: usize,
    cost_window: Duration,
    /// How often `keys rotate --now` is called.
    rotations: usize,
    /// How long the load continues after each step of a rotation.
    rotation_pause: Duration,
    revocations: usize,
    revocations_same_instance: usize,
    revocations_broken: usize,
    /// On each of three servers.
    registrations: usize,
    /// Pairs of requests for an address with an account and one without.
    neutral_pairs: usize,
}

const FULL: Scale = Scale {
    cost_rounds: 100,
    cost_window: Duration::from_millis(150),
    rotations: 10,
    rotation_pause: Duration::from_secs(3),
    revocations: 1000,
    revocations_same_instance: 1000,
    revocations_broken: 50,
    registrations: 1000,
    neutral_pairs: 2000,
};

/// Shows that everything works, but too little for figures to rely on.
const SHORT: Scale = Scale {
    cost_rounds: 15,
    cost_window: Duration::from_millis(150),
    rotations: 3,
    rotation_pause: Duration::from_secs(1),
    revocations: 100,
    revocations_same_instance: 100,
    revocations_broken: 10,
    registrations: 100,
    neutral_pairs: 100,
};

/// What every part needs.
pub(crate) struct Bench {
    program: PathBuf,
    bare: PathBuf,
    runtime: Runtime,
    postgres: OnceCell<Postgres>,
    scale: Scale,
}

static PARTS: [Part<Bench>; 8] = [
    Part {
        name: "cost-sqlite",
        heading: "GET /api/users/me and a bare axum handler in turn, on SQLite",
        measure: |bench| parts::cost::measure(bench, OnSqlite),
    },
    Part {
        name: "cost-postgres",
        heading: "GET /api/users/me and a bare axum handler in turn, on PostgreSQL",
        measure: |bench| parts::cost::measure(bench, OnPostgres),
    },
    Part {
        name: "rotation",
        heading: "signing keys and SECRET_KEY are replaced under a running load on two instances",
        measure: parts::rotation::measure,
    },
    Part {
        name: "revocation",
        heading: "sessions are ended on one instance and used on another",
        measure: parts::revocation::measure,
    },
    Part {
        name: "neutral-sqlite",
        heading: "requests for addresses with and without an account in turn, on SQLite",
        measure: |bench| parts::neutral::measure(bench, OnSqlite),
    },
    Part {
        name: "neutral-postgres",
        heading: "requests for addresses with and without an account in turn, on PostgreSQL",
        measure: |bench| parts::neutral::measure(bench, OnPostgres),
    },
    Part {
        name: "outage-sqlite",
        heading: "registrations while the mail server is gone and in turn while it is not, on SQLite",
        measure: |bench| parts::outage::measure(bench, OnSqlite),
    },
    Part {
        name: "outage-postgres",
        heading: "registrations while the mail server is gone and in turn while it is not, on PostgreSQL",
        measure: |bench| parts::outage::measure(bench, OnPostgres),
    },
];

fn main() -> ExitCode {
    bench_kit::run(run)
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let (program, bare) = (path(&mut arguments)?, path(&mut arguments)?);
    let choice = Choice::parse(arguments, &PARTS)?;
    println!("{}", Description::read()?);
    let scale = if choice.is_short { SHORT } else { FULL };
    choice.measure(&Bench { program, bare, runtime: runtime()?, postgres: OnceCell::new(), scale })
}
