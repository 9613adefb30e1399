//! The parts of the cluster tests, their order, and their scale. The figures are explained in the `README.md` of this
//! folder.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

mod broken;
mod client;
mod cluster;
mod forwarder;
mod instance;
mod ledger;
mod load;
#[expect(dead_code, reason = "shared with the tests of countersign-server, which use more of it")]
mod nginx;
mod parts;
mod postgres;
mod promises;
mod report;
#[path = "../../../crates/countersign/tests/it/s3.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the tests of the library, which use more of it")]
mod s3;

use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use broken::{Broken, Outcome};
use cluster::Scale;
use parts::disk::Way;
use report::Figure;

const FULL: Scale = Scale {
    clients: 8,
    turns: 3,
    requests_between: 400,
    idle_seconds: 4,
    rounds: 200,
    given_up: 100_000,
    fills: 20,
    disks: &[Way::Small, Way::Limit],
};

/// A smoke test of under a minute.
const SHORT: Scale = Scale {
    clients: 4,
    turns: 1,
    requests_between: 40,
    idle_seconds: 1,
    rounds: 4,
    given_up: 1_200,
    fills: 2,
    // Mounting a small file system requires root.
    disks: &[Way::Limit],
};

/// The programs under test, and the scale.
pub(crate) struct Rig {
    pub(crate) program: PathBuf,
    /// The same program with a later schema.
    pub(crate) next: Option<PathBuf>,
    pub(crate) scale: Scale,
}

type Running<'r> = Pin<Box<dyn Future<Output = Outcome<Vec<Figure>>> + 'r>>;

struct Part {
    name: &'static str,
    heading: &'static str,
    run: for<'r> fn(&'r Rig) -> Running<'r>,
}

const PARTS: [Part; 10] = [
    Part {
        name: "restart",
        heading: "three instances behind nginx are restarted one by one",
        run: |rig| Box::pin(parts::restart::run(rig)),
    },
    Part {
        name: "kill",
        heading: "three instances behind nginx are killed one by one",
        run: |rig| Box::pin(parts::kill::run(rig)),
    },
    Part {
        name: "upgrade",
        heading: "the schema is extended and three instances are replaced by the next version one by one",
        run: |rig| Box::pin(parts::upgrade::run(rig)),
    },
    Part {
        name: "failover",
        heading: "PostgreSQL is killed and its standby takes over",
        run: |rig| Box::pin(parts::failover::run(rig)),
    },
    Part {
        name: "rounds-sqlite",
        heading: "one instance on SQLite is killed again and again",
        run: |rig| Box::pin(parts::rounds::on_sqlite(rig)),
    },
    Part {
        name: "rounds-postgres",
        heading: "one instance on PostgreSQL is killed again and again, and PostgreSQL too",
        run: |rig| Box::pin(parts::rounds::on_postgres(rig)),
    },
    Part {
        name: "storm-sqlite",
        heading: "clients of one instance on SQLite give up, a few milliseconds after they asked",
        run: |rig| Box::pin(parts::storm::on_sqlite(rig)),
    },
    Part {
        name: "storm-postgres",
        heading: "the same on PostgreSQL, with a millisecond of network between",
        run: |rig| Box::pin(parts::storm::on_postgres(rig)),
    },
    Part {
        name: "disk-sqlite",
        heading: "the disk of one instance on SQLite is filled and freed under load",
        run: |rig| Box::pin(parts::disk::on_sqlite(rig)),
    },
    Part {
        name: "disk-postgres",
        heading: "the disk of PostgreSQL is filled and freed under load",
        run: |rig| Box::pin(parts::disk::on_postgres(rig)),
    },
];

const USAGE: &str = "usage: cluster --program PATH [--next PATH] [--short] [--rounds N] [PART...]
  --program   the blog, or another host application that has posts
  --next      the same with a later schema, for the part `upgrade`: examples/later_version of the blog
  --short     a little of everything, in less than a minute
  --rounds    how often `rounds-…` kill (200)
parts: restart kill upgrade failover rounds-sqlite rounds-postgres storm-sqlite storm-postgres disk-sqlite disk-postgres (default: all)";

fn main() -> ExitCode {
    let (rig, chosen) = match read(std::env::args().skip(1)) {
        Ok(read) => read,
        Err(Broken(text)) => {
            eprintln!("{text}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("the system has threads for us");
    let mut figures = Vec::new();
    let mut failed = 0;
    for part in &chosen {
        println!("\n{}: {}", part.name, part.heading);
        match runtime.block_on((part.run)(&rig)) {
            Ok(found) => {
                failed += usize::from(!found.iter().all(Figure::is_met));
                figures.extend(found);
            }
            Err(Broken(text)) => {
                eprintln!("broken: {}: {text}", part.name);
                failed += 1;
            }
        }
    }
    report::print(&figures);
    // The same format as Rust's own tests, so that scripts/test can count them.
    let (verdict, passed) = (if failed == 0 { "ok" } else { "FAILED" }, chosen.len() - failed);
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn read(mut arguments: impl Iterator<Item = String>) -> Outcome<(Rig, Vec<&'static Part>)> {
    let (mut program, mut next, mut scale, mut chosen) = (None, None, FULL, Vec::new());
    let mut rounds = None;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| Broken(format!("{argument} takes a value")));
        match argument.as_str() {
            "--program" => program = Some(PathBuf::from(value()?).canonicalize()?),
            "--next" => next = Some(PathBuf::from(value()?).canonicalize()?),
            "--rounds" => rounds = Some(value()?.parse()?),
            "--short" => scale = SHORT,
            name => match PARTS.iter().find(|part| part.name == name) {
                Some(part) => chosen.push(part),
                None => return Err(Broken(format!("{name} is neither an option nor a part"))),
            },
        }
    }
    let program = program.ok_or_else(|| Broken("--program is missing".to_owned()))?;
    if chosen.is_empty() {
        chosen.extend(&PARTS);
    }
    scale.rounds = rounds.unwrap_or(scale.rounds);
    Ok((Rig { program, next, scale }, chosen))
}
