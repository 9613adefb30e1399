//! Decides what is measured in which order, and how much of it. `README.md` beside this says what the figures mean.

#[path = "../../logins/src/broken.rs"]
mod broken;
mod client;
#[path = "../../logins/src/machine.rs"]
#[expect(dead_code, reason = "shared with bench/logins, which needs more of it")]
mod machine;
mod parts;
mod peer;
mod photograph;
#[path = "../../../crates/countersign/src/testing/pictures.rs"]
#[expect(unreachable_pub, reason = "shared with the tests of the library")]
mod pictures;
#[path = "../../sessions/src/report.rs"]
mod report;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use broken::{Broken, Outcome, While as _};
use machine::Description;
use report::Figure;

/// How much is measured.
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    pub(crate) uploads_a_round: usize,
    pub(crate) damaged: u64,
    pub(crate) kills: usize,
}

const FULL: Scale = Scale { rounds: 15, uploads_a_round: 6, damaged: 5_000, kills: 200 };
/// To see that everything works; too little for figures to rely on.
const SHORT: Scale = Scale { rounds: 3, uploads_a_round: 3, damaged: 300, kills: 10 };

/// What every part needs.
pub(crate) struct Bench {
    pub(crate) program: PathBuf,
    pub(crate) python: PathBuf,
    pub(crate) peer: PathBuf,
    pub(crate) scale: Scale,
}

struct Part {
    name: &'static str,
    heading: &'static str,
    measure: fn(&Bench) -> Outcome<Vec<Figure>>,
}

const PARTS: [Part; 4] = [
    Part {
        name: "throughput",
        heading: "uploads of photographs of 12 megapixels, and Pillow doing the same work in turn",
        measure: parts::throughput::measure,
    },
    Part { name: "sizes", heading: "what other sizes and formats would weigh", measure: parts::sizes::measure },
    Part { name: "hostile", heading: "damaged and hostile files, 16 at a time", measure: parts::hostile::measure },
    Part {
        name: "kills",
        heading: "the server is killed during uploads, again and again",
        measure: parts::kills::measure,
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
    let (Some(program), Some(python), Some(peer)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err(Broken("which server, Python and peer? Use bench/pictures/run, which knows".to_owned()));
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
    let bench = Bench { program: program.into(), python: python.into(), peer: peer.into(), scale };
    let mut figures = Vec::new();
    for part in chosen {
        println!("\n{}: {}", part.name, part.heading);
        figures.extend((part.measure)(&bench).doing(part.name)?);
    }
    report::print(&figures);
    Ok(())
}
