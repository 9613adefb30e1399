//! The parts, and how much each measures. `README.md` beside this explains the figures.

mod parts;
mod peer;
mod photograph;
mod user;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use bench_kit::broken::Outcome;
use bench_kit::machine::Description;
use bench_kit::parts::{Choice, Part, path};
use bench_kit::server::{CHEAP_LOGINS, Installation, LONG_TOKENS};

/// How much is measured.
pub(crate) struct Scale {
    pub(crate) rounds: usize,
    pub(crate) uploads_a_round: usize,
    pub(crate) damaged: u64,
    pub(crate) kills: usize,
}

const FULL: Scale = Scale { rounds: 15, uploads_a_round: 6, damaged: 5_000, kills: 200 };
/// Shows that everything works, but too little for figures to rely on.
const SHORT: Scale = Scale { rounds: 3, uploads_a_round: 3, damaged: 300, kills: 10 };

/// What every part needs.
pub(crate) struct Bench {
    program: PathBuf,
    python: PathBuf,
    peer: PathBuf,
    pub(crate) scale: Scale,
}

static PARTS: [Part<Bench>; 4] = [
    Part {
        name: "throughput",
        heading: "uploads of photographs of 12 megapixels, and Pillow doing the same work in turn",
        measure: parts::throughput::measure,
    },
    Part { name: "sizes", heading: "the weight of other sizes and formats", measure: parts::sizes::measure },
    Part { name: "hostile", heading: "damaged and hostile files, 16 at a time", measure: parts::hostile::measure },
    Part { name: "kills", heading: "the server is killed during uploads, repeatedly", measure: parts::kills::measure },
];

fn main() -> ExitCode {
    bench_kit::run(run)
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let (program, python, peer) = (path(&mut arguments)?, path(&mut arguments)?, path(&mut arguments)?);
    let choice = Choice::parse(arguments, &PARTS)?;
    println!("{}", Description::read()?);
    choice.measure(&Bench { program, python, peer, scale: if choice.is_short { SHORT } else { FULL } })
}

impl Bench {
    /// On SQLite and with pictures on disk.
    pub(crate) fn installation(&self) -> Outcome<Installation> {
        let settings = [("MEDIA_DIR", "media"), ("LOG", "error"), LONG_TOKENS];
        Installation::new(&self.program, &[&settings[..], &CHEAP_LOGINS].concat())
    }
}

/// The names of all files in the folder of pictures, finished or not.
pub(crate) fn picture_files(installation: &Installation) -> Outcome<Vec<String>> {
    let mut names = Vec::new();
    let folder = installation.folder().join("media/profile_pics");
    if !folder.exists() {
        return Ok(names); // the first upload makes it
    }
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
