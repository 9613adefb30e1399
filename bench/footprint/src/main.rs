//! Decides what is measured in which order. `README.md` beside this says what the figures mean.

#[path = "../../logins/src/broken.rs"]
mod broken;
#[path = "../../logins/src/machine.rs"]
#[expect(dead_code, reason = "shared with bench/logins, which needs more of it")]
mod machine;
#[path = "../../../tests/cluster/src/postgres.rs"]
#[expect(dead_code, reason = "shared with tests/cluster, which needs more of it")]
mod postgres;
mod server;
#[path = "../../logins/src/statistics.rs"]
#[expect(dead_code, reason = "shared with bench/logins, which needs more of it")]
mod statistics;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use broken::{Broken, Outcome};
use machine::Description;
use postgres::Postgres;
use server::{Installation, Server};
use statistics::median;

const MIB: f64 = 1_048_576.0;
const BINARY_MIB_MAX: f64 = 25.0;
const IDLE_MIB_MAX: f64 = 15.0;
const START_MS_MAX: f64 = 50.0;
/// After the start or the load, until what is only needed for that has been given back.
const CALM: Duration = Duration::from_secs(2);
const AFTER_LOAD: Duration = Duration::from_secs(12);
const USERS: usize = 20;
const REQUESTS_OF_EACH: usize = 50;

struct Figure {
    name: String,
    value: f64,
    /// The most it should be.
    goal: Option<f64>,
    note: &'static str,
}

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
    let (mut program, mut starts) = (None, 40);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| Broken(format!("{argument} takes a value")))?;
        match argument.as_str() {
            "--program" => program = Some(PathBuf::from(value).canonicalize()?),
            "--starts" => starts = value.parse()?,
            _ => return Err(Broken(format!("{argument} is neither --program nor --starts"))),
        }
    }
    let program = program.ok_or_else(|| Broken("which program? Use bench/footprint/run".to_owned()))?;
    println!("{}", Description::read()?);
    let size = std::fs::metadata(&program)?.len() as f64 / MIB;
    let mut figures = vec![figure("binary_mib", size, Some(BINARY_MIB_MAX), "the file as it is, symbols included if any")];
    figures.extend(measure(&program, "sqlite", "sqlite:countersign.db", starts)?);
    let postgres = Postgres::start()?;
    figures.extend(measure(&program, "postgres", &Postgres::url(postgres.address), starts)?);

    println!("\n{:<34} {:>9}  {:<8} {:<7} note", "figure", "value", "goal", "verdict");
    for Figure { name, value, goal, note } in &figures {
        let wanted = goal.map_or_else(|| "-".to_owned(), |goal| format!("<= {goal}"));
        let verdict = if goal.is_none_or(|goal| *value <= goal) { "met" } else { "MISSED" };
        println!("{name:<34} {value:>9.2}  {wanted:<8} {verdict:<7} {note}");
    }
    println!();
    for Figure { name, value, goal, .. } in &figures {
        println!("{name} {value:.2}");
        if let Some(goal) = goal {
            println!("ratio_{name} {:.3}", value / goal);
        }
    }
    Ok(())
}

fn figure(name: impl Into<String>, value: f64, goal: Option<f64>, note: &'static str) -> Figure {
    Figure { name: name.into(), value, goal, note }
}

fn measure(program: &Path, database: &str, url: &str, starts: usize) -> Outcome<Vec<Figure>> {
    let installation = Installation::new(program, url)?;
    let mut times = Vec::new();
    for _ in 0..starts {
        let (_, time) = installation.start()?;
        times.push(time.as_secs_f64() * 1000.0);
    }
    let (server, _) = installation.start()?;
    sleep(CALM);
    let idle = server.memory()?;
    load(&server)?;
    sleep(AFTER_LOAD);
    let used = server.memory()?;
    Ok(vec![
        figure(format!("start_ms_{database}"), median(&times), Some(START_MS_MAX), "to the first answer, median"),
        figure(format!("idle_rss_mib_{database}"), idle.resident, Some(IDLE_MIB_MAX), "after the start"),
        figure(format!("idle_pss_mib_{database}"), idle.proportional, None, "the same, shared pages shared out"),
        figure(format!("idle_own_mib_{database}"), idle.own, None, "the same, without what is in files"),
        figure(format!("used_rss_mib_{database}"), used.resident, None, "after a short load, with the memory for hashing"),
        figure(format!("used_pss_mib_{database}"), used.proportional, None, "the same, shared pages shared out"),
        figure(format!("used_own_mib_{database}"), used.own, None, "the same, without what is in files"),
    ])
}

/// Some people come.
fn load(server: &Server) -> Outcome<()> {
    for number in 0..USERS {
        let body = format!(
            r#"{{"username":"user{number}","email":"user{number}@example.com","password":"correct-horse-battery-staple"}}"#
        );
        expect(&server.ask("POST /api/users", "", &body)?, "201")?;
        let form = format!("username=user{number}%40example.com&password=correct-horse-battery-staple");
        let login = server.ask("POST /api/users/token", "", &form)?;
        expect(&login, "200")?;
        let token = login.split_once(r#""access_token":""#).and_then(|(_, rest)| rest.split('"').next());
        let token = token.ok_or_else(|| Broken(format!("no token: {login}")))?;
        for _ in 0..REQUESTS_OF_EACH {
            expect(&server.ask("GET /api/users/me", token, "")?, "200")?;
        }
    }
    Ok(())
}

fn expect(answer: &str, status: &str) -> Outcome<()> {
    if answer.get(9..12) == Some(status) { Ok(()) } else { Err(Broken(format!("instead of {status}: {answer}"))) }
}
