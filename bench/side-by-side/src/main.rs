//! Decides what is measured in which order, and how much of it. `README.md` beside this says what the figures mean.

#[path = "../../logins/src/broken.rs"]
mod broken;
mod compare;
mod contestant;
#[path = "../../logins/src/engine.rs"]
#[expect(dead_code, reason = "shared with bench/logins, which needs more of it")]
mod engine;
mod field;
mod fill;
mod findings;
#[path = "../../sessions/src/http.rs"]
#[expect(dead_code, reason = "shared with bench/sessions, which needs more of it")]
mod http;
mod load;
#[path = "../../logins/src/machine.rs"]
#[expect(dead_code, reason = "shared with bench/logins, which needs more of it")]
mod machine;
mod open_loop;
mod options;
mod page;
mod parts;
mod photograph;
mod plot;
mod postgres;
mod processes;
mod results;
mod rounds;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use jiff::Timestamp;
use tokio::runtime::Runtime;

use broken::{Broken, Outcome, While as _};
use contestant::Contestant;
use findings::Findings;
use options::{Options, Scale};
use results::{PartResult, Results};

/// What every part needs.
pub(crate) struct Bench {
    ours: Contestant,
    peers: Vec<Contestant>,
    bare: PathBuf,
    /// Where peers keep what was installed for them.
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
        heading: "Reading one's own account, asking about tokens and exchanging them, and a bare axum handler in turn",
        measure: parts::me::measure,
    },
    Part { name: "posts", heading: "Pages of posts, and pictures", measure: parts::posts::measure },
    Part {
        name: "storm",
        heading: "Reading one's own account in an open loop, 100 a second, while 16 clients log in without pause; on SQLite",
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
    match run() {
        Ok(code) => code,
        Err(Broken(text)) => {
            eprintln!("broken: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let names = PARTS.map(|part| part.name);
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["compare", first, second] => {
            print!("{}", compare::table(&Results::read(first.as_ref())?, &Results::read(second.as_ref())?));
            return Ok(ExitCode::SUCCESS);
        }
        ["compare", ..] => return Err(Broken("compare takes two files, such as latest.json".to_owned())),
        ["page", folder] => {
            let folder = PathBuf::from(folder);
            page::write(&Results::read(&folder.join("latest.json"))?, &folder)?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let options = Options::parse(&arguments, &names)?;
    machine::raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _signals = server::end_together(&runtime)?;
    let bare = std::env::current_exe()?.with_file_name("bare");
    let ours = Contestant::ours(&options.program)?;
    let peers =
        options.peers.iter().map(|name| Contestant::peer(&options.peers_folder, name)).collect::<Outcome<_>>()?;
    let Options { work, scale, results, chosen, .. } = options;
    let bench = Bench { ours, peers, bare, work, runtime, scale };
    std::fs::create_dir_all(&results).doing(results.display())?;

    let mut code = ExitCode::SUCCESS;
    for part in PARTS.iter().filter(|part| chosen.contains(&part.name)) {
        match run_part(&bench, part) {
            Ok(result) => {
                // What was measured before is kept if the next part breaks, or is ended.
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
    println!("\n{}: {}\n  {}", part.name, part.heading, machine::Description::read()?);
    let at = Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let load_before = processes::load_average()?;
    let mut findings = Findings::default();
    (part.measure)(bench, &mut findings)?;
    let Findings { measures, figures, notes, generator_max, others_max } = findings;
    Ok(PartResult {
        name: part.name.to_owned(),
        heading: part.heading.to_owned(),
        at,
        machine: processes::machine()?,
        load_average: [load_before, processes::load_average()?],
        is_short: bench.scale.is_short,
        generator_max,
        others_max,
        measures,
        figures,
        notes,
    })
}
