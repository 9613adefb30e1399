//! The order of the measurements and their goals. `README.md` beside this explains the figures.

mod memory;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use bench_kit::account::{Tokens, User, me};
use bench_kit::broken::{Broken, Outcome, broken};
use bench_kit::client::ask_once;
use bench_kit::machine::{Description, MIB};
use bench_kit::postgres::Postgres;
use bench_kit::report::{self, Figure, Goal};
use bench_kit::server::{Installation, Log, Server};
use bench_kit::statistics::median;

use memory::Memory;

const BINARY_MIB_MAX: f64 = 25.0;
const IDLE_MIB_MAX: f64 = 15.0;
const START_MS_MAX: f64 = 50.0;
/// After the start and after the load, until the server has given back memory that only they needed.
const CALM: Duration = Duration::from_secs(2);
const AFTER_LOAD: Duration = Duration::from_secs(12);
const USERS: usize = 20;
const REQUESTS_OF_EACH: usize = 50;

fn main() -> ExitCode {
    bench_kit::run(run)
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let (mut program, mut starts) = (None, 40);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| Broken(format!("{argument} takes a value")))?;
        match argument.as_str() {
            "--program" => program = Some(PathBuf::from(value)),
            "--starts" => starts = value.parse()?,
            _ => return broken(format!("{argument} is neither --program nor --starts")),
        }
    }
    let Some(program) = program else { return broken("which program? Use bench/footprint/run") };
    println!("{}", Description::read()?);
    let size = std::fs::metadata(&program)?.len() as f64 / MIB;
    let note = "the file as it is, symbols included if any";
    let mut figures = vec![Figure::new("binary_mib", size, Goal::AtMost(BINARY_MIB_MAX), note)];
    figures.extend(measure(&program, "sqlite", "sqlite:accounts.db", starts)?);
    let postgres = Postgres::start(&["shared_buffers=32MB"])?;
    figures.extend(measure(&program, "postgres", &postgres.database()?, starts)?);

    report::print(&figures);
    for Figure { name, value, goal, .. } in &figures {
        if let Some(Goal::AtMost(most)) = goal {
            println!("ratio_{name} {:.3}", value / most);
        }
    }
    Ok(())
}

fn measure(program: &Path, database: &str, url: &str, starts: usize) -> Outcome<Vec<Figure>> {
    let installation = Installation::new(program, &[("DATABASE_URL", url)])?;
    let mut times = Vec::new();
    for _ in 0..starts {
        times.push(installation.start(Log::Nowhere, &[])?.start.as_secs_f64() * 1000.0);
    }
    let server = installation.start(Log::Nowhere, &[])?;
    sleep(CALM);
    let idle = Memory::read(server.process())?;
    load(&server)?;
    sleep(AFTER_LOAD);
    let used = Memory::read(server.process())?;
    let figure = |name: &str, value, goal, note| Figure::new(format!("{name}_{database}"), value, goal, note);
    Ok(vec![
        figure("start_ms", median(&times), Some(Goal::AtMost(START_MS_MAX)), "to the first answer, median"),
        figure("idle_rss_mib", idle.resident, Some(Goal::AtMost(IDLE_MIB_MAX)), "after the start"),
        figure("idle_pss_mib", idle.proportional, None, "the same, shared pages divided"),
        figure("idle_own_mib", idle.own, None, "the same, without what is in files"),
        figure("used_rss_mib", used.resident, None, "after a short load, with the memory for hashing"),
        figure("used_pss_mib", used.proportional, None, "the same, shared pages divided"),
        figure("used_own_mib", used.own, None, "the same, without what is in files"),
    ])
}

/// Some users register, log in and read their accounts.
fn load(server: &Server) -> Outcome<()> {
    for user in (0..USERS).map(User) {
        ask_once(server.address, &user.registration())?.expect(201)?;
        let tokens = Tokens::read(&ask_once(server.address, &user.login())?.expect(200)?)?;
        for _ in 0..REQUESTS_OF_EACH {
            ask_once(server.address, &me(&tokens.access))?.expect(200)?;
        }
    }
    Ok(())
}
