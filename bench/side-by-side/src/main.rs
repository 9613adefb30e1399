//! The parts, and how a run goes through them. `README.md` beside this explains the figures.

mod compare;
mod contestant;
mod field;
mod fill;
mod findings;
mod load;
mod options;
mod page;
mod parts;
mod photograph;
mod plot;
mod results;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use bench_kit::broken::{Broken, Outcome, While as _, broken};
use bench_kit::machine::{Description, load_average, raise_open_files};
use bench_kit::runtime;
use jiff::Timestamp;
use tokio::runtime::Runtime;

use contestant::Contestant;
use findings::Findings;
use options::{Options, Scale};
use results::{PartResult, Results};

/// For 1,000 clients and 32 connections to each contestant, with room to spare.
const OPEN_FILES: u64 = 8192;

/// What every part needs.
pub(crate) struct Bench {
    ours: Contestant,
    peers: Vec<Contestant>,
    bare: PathBuf,
    /// The folder with the peers' installed packages.
    work: PathBuf,
    runtime: Runtime,
    scale: Scale,
}

impl Bench {
    /// Ours first.
    fn contestants(&self) -> impl Iterator<Item = &Contestant> {
        std::iter::once(&self.ours).chain(&self.peers)
    }
}

struct Part {
    name: &'static str,
    heading: &'static str,
    measure: fn(&Bench, &mut Findings) -> Outcome<()>,
}

const PARTS: [Part; 6] = [
    Part {
        name: "logins",
        heading: "Logins and registrations in a closed loop, and the bare engine in turn; on SQLite",
        measure: parts::logins::measure,
    },
    Part {
        name: "me",
        heading: "Reading the current user's account, introspecting tokens and exchanging them, and a bare axum handler in turn",
        measure: parts::me::measure,
    },
    Part { name: "posts", heading: "Pages of posts, and pictures", measure: parts::posts::measure },
    Part {
        name: "storm",
        heading: "Reading the current user's account in an open loop, 100 a second, while 16 clients log in without pause; on SQLite",
        measure: parts::storm::measure,
    },
    Part {
        name: "growth",
        heading: "Operations one at a time, at several numbers of users in turn",
        measure: parts::growth::measure,
    },
    Part {
        name: "cost",
        heading: "Memory, time to start, processor time, size; on SQLite",
        measure: parts::cost::measure,
    },
];

fn main() -> ExitCode {
    bench_kit::run(run)
}

fn run() -> Outcome<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let names = PARTS.map(|part| part.name);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["compare", first, second] => {
            print!("{}", compare::table(&Results::read(first.as_ref())?, &Results::read(second.as_ref())?));
            return Ok(ExitCode::SUCCESS);
        }
        ["compare", ..] => return broken("compare takes two files, such as latest.json"),
        ["page", folder] => {
            let folder = PathBuf::from(folder);
            page::write(&Results::read(&folder.join("latest.json"))?, &folder)?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let options = Options::parse(&arguments, &names)?;
    raise_open_files(OPEN_FILES)?;
    let bare = std::env::current_exe()?.with_file_name("bare");
    let ours = Contestant::ours(&options.program)?;
    let peers =
        options.peers.iter().map(|name| Contestant::peer(&options.peers_folder, name)).collect::<Outcome<_>>()?;
    let Options { work, scale, results, chosen, .. } = options;
    let bench = Bench { ours, peers, bare, work, runtime: runtime()?, scale };
    std::fs::create_dir_all(&results).doing(results.display())?;

    let mut code = ExitCode::SUCCESS;
    for part in PARTS.iter().filter(|part| chosen.contains(&part.name)) {
        match run_part(&bench, part) {
            Ok(result) => {
                // Written now, so that it is kept if a later part breaks or a signal ends the run.
                let file = results.join("latest.json");
                let mut all = Results::read_or_new(&file)?;
                all.merge(result, &names);
                all.write(&file)?;
                page::write(&all, &results)?;
            }
            Err(Broken(text)) => {
                eprintln!("broken: {}: {text}", part.name);
                code = ExitCode::FAILURE;
            }
        }
    }
    println!("\n{}", results.join("README.md").display());
    Ok(code)
}

fn run_part(bench: &Bench, part: &Part) -> Outcome<PartResult> {
    let machine = Description::read()?;
    println!("\n{}: {}\n  {machine}", part.name, part.heading);
    let at = Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let load_before = load_average()?;
    let mut findings = Findings::default();
    (part.measure)(bench, &mut findings)?;
    let Findings { measures, figures, notes, generator_max, others_max } = findings;
    Ok(PartResult {
        name: part.name.to_owned(),
        heading: part.heading.to_owned(),
        at,
        machine: machine.hardware()?,
        load_average: [load_before, load_average()?],
        is_short: bench.scale.is_short,
        generator_max,
        others_max,
        measures,
        figures,
        notes,
    })
}
