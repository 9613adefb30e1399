//! Decides what is measured in which order, and how much of it. `README.md` beside this says what the figures mean.

#[path = "../../logins/src/broken.rs"]
mod broken;
mod http;
#[path = "../../logins/src/machine.rs"]
#[expect(dead_code, reason = "shared with bench/logins, which needs more of it")]
mod machine;
mod mail_sink;
mod parts;
mod report;
mod server;
mod setup;
#[path = "../../logins/src/statistics.rs"]
mod statistics;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Runtime;

use broken::{Broken, Outcome, While as _};
use machine::Description;
use report::Figure;

/// How much is measured.
struct Scale {
    cost_rounds: usize,
    cost_window: Duration,
    /// How often `keys rotate --now` is called.
    rotations: usize,
    /// How long the load goes on after each step of a rotation.
    rotation_pause: Duration,
    revocations: usize,
    revocations_same_instance: usize,
    revocations_broken: usize,
    /// At each of three servers.
    registrations: usize,
    /// Of requests for an address with an account and one without.
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

/// To see that everything works; too little for figures to rely on.
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
    scale: Scale,
}

struct Part {
    name: &'static str,
    heading: &'static str,
    measure: fn(&Bench) -> Outcome<Vec<Figure>>,
}

const PARTS: [Part; 8] = [
    Part {
        name: "cost-sqlite",
        heading: "GET /api/users/me and a bare axum handler in turn, on SQLite",
        measure: parts::cost::on_sqlite,
    },
    Part {
        name: "cost-postgres",
        heading: "GET /api/users/me and a bare axum handler in turn, on PostgreSQL",
        measure: parts::cost::on_postgres,
    },
    Part {
        name: "rotation",
        heading: "signing keys and SECRET_KEY are replaced under a running load on two instances",
        measure: parts::rotation::measure,
    },
    Part {
        name: "revocation",
        heading: "sessions are ended on one instance and asked for on another",
        measure: parts::revocation::measure,
    },
    Part {
        name: "neutral-sqlite",
        heading: "addresses with and without an account, asked about in turn, on SQLite",
        measure: parts::neutral::on_sqlite,
    },
    Part {
        name: "neutral-postgres",
        heading: "addresses with and without an account, asked about in turn, on PostgreSQL",
        measure: parts::neutral::on_postgres,
    },
    Part {
        name: "outage-sqlite",
        heading: "registrations while the mail server is gone and in turn while it is not, on SQLite",
        measure: parts::outage::on_sqlite,
    },
    Part {
        name: "outage-postgres",
        heading: "registrations while the mail server is gone and in turn while it is not, on PostgreSQL",
        measure: parts::outage::on_postgres,
    },
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Broken(text)) => {
            eprintln!("broken: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(program), Some(bare)) = (arguments.next(), arguments.next()) else {
        return Err(Broken("which servers? Use bench/sessions/run, which builds them".to_owned()));
    };
    let mut scale = FULL;
    let mut chosen = Vec::new();
    for argument in arguments {
        match PARTS.iter().find(|part| part.name == argument) {
            Some(part) => chosen.push(part),
            None if argument == "--short" => scale = SHORT,
            None => return Err(Broken(format!("{argument} is neither --short nor the name of a part"))),
        }
    }
    if chosen.is_empty() {
        chosen.extend(&PARTS);
    }

    println!("{}", Description::read()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _signals = server::end_together(&runtime)?;
    let bench = Bench { program: program.into(), bare: bare.into(), runtime, scale };
    let mut figures = Vec::new();
    for part in chosen {
        println!("\n{}: {}", part.name, part.heading);
        figures.extend((part.measure)(&bench).doing(part.name)?);
    }
    report::print(&figures);
    Ok(())
}
