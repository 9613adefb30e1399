//! Decides what is attacked, for how long, and what is looked at. `README.md` beside this says what the figures mean.

mod accounts;
mod attack;
mod broken;
mod client;
mod honest;
mod machine;
mod report;
mod server;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{Instant as Alarm, sleep_until};

use attack::{Attack, Targets, guesses_allowed};
use broken::{Broken, Outcome, While as _};
use machine::{Description, Usage, resident};
use report::{Figure, Goal};
use server::{Installation, Server};

const TARGETS: Targets = Targets { accounts: 10_000, honest: 50 };
const MIB: f64 = 1024.0 * 1024.0;
/// What a server may grow by that has been under attack for a while already, in MiB.
const GROWTH_MAX: f64 = 16.0;

/// How long the attack lasts, and how many attempts it makes.
struct Scale {
    window: Duration,
    attempts: usize,
}

const FULL: Scale = Scale { window: Duration::from_mins(10), attempts: 100_000 };
/// To see that everything works.
const SHORT: Scale = Scale { window: Duration::from_secs(30), attempts: 5_000 };

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
    let program = arguments.next().map(PathBuf::from);
    let program = program.ok_or_else(|| Broken("which server? Use bench/stuffing/run, which builds one".to_owned()))?;
    let mut scale = FULL;
    for argument in arguments {
        match argument.as_str() {
            "--short" => scale = SHORT,
            _ => return Err(Broken(format!("{argument} is not --short"))),
        }
    }

    println!("{}", Description::read()?);
    machine::raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _signals = server::end_together(&runtime)?;
    let installation = Installation::new(&program)?;
    let server = installation.start()?;
    runtime.block_on(accounts::register_first(&server)).doing("registering")?;
    server.stop()?;
    runtime.block_on(accounts::add_others(&installation.database(), TARGETS.accounts))?;

    let server = installation.start()?;
    let figures = runtime.block_on(measure(&server, &scale))?;
    server.stop()?;
    report::print(&figures);
    Ok(())
}

async fn measure(server: &Server, scale: &Scale) -> Outcome<Vec<Figure>> {
    let people = honest::meet(server.address, TARGETS.honest).await.doing("logging in before the attack")?;
    let usage = Usage::now(server.process())?;
    let begun = Instant::now();
    let end = begun + scale.window;
    println!("\n{} attempts from 1,000 addresses in {:?}", scale.attempts, scale.window);

    let attack = Attack::begin(server.address, TARGETS, scale.attempts, scale.window);
    let (process, warm) = (server.process(), begun + scale.window / 5);
    let mut early = JoinSet::new();
    early.spawn(async move {
        // By then all has been touched that serving under attack needs.
        sleep_until(Alarm::from_std(warm)).await;
        resident(process)
    });
    let honest = honest::log_in(server.address, people, end).await.doing("logging in during the attack")?;
    let early = early.join_next().await.ok_or_else(|| Broken("nobody looked at the memory".to_owned()))???;
    let attack = attack.end().await.doing("attacking")?;
    let late = resident(server.process())?;
    let window = begun.elapsed();

    println!("  attacker: {} attempts, {}", attack.attempts, told(&attack.answers));
    println!("  honest users: {}", told(&honest.answers));
    let [median, p99] = [50, 99].map(|percent| honest.percentile(percent).as_secs_f64());
    println!("  their logins took {median:.2} s (median), {p99:.2} s (p99)");
    println!(
        "  resident MiB: {:.1} early, {:.1} at the end; {}",
        early as f64 / MIB,
        late as f64 / MIB,
        usage.since()?
    );
    Ok(vec![
        Figure {
            name: "attempts",
            value: attack.attempts as f64,
            goal: Goal::AtLeast(scale.attempts as f64),
            note: "what the attacker sent".to_owned(),
        },
        Figure {
            name: "honest_success_percent",
            value: honest.success_percent(),
            goal: Goal::AtLeast(99.0),
            note: format!("{} logins on known devices of {} users", honest.times.len(), TARGETS.honest),
        },
        Figure {
            name: "guesses_per_account_max",
            value: attack.guesses_max.into(),
            goal: Goal::AtMost(guesses_allowed(window).into()),
            note: format!("of {} guesses; goal: what is documented for {window:.0?} (109 for a day)", attack.guesses),
        },
        Figure {
            name: "rss_growth_mib",
            value: (late as f64 - early as f64) / MIB,
            goal: Goal::AtMost(GROWTH_MAX),
            note: "from a fifth of the time to the end".to_owned(),
        },
    ])
}

fn told(answers: &BTreeMap<u16, usize>) -> String {
    let parts: Vec<String> = answers.iter().map(|(status, count)| format!("{count} x {status}")).collect();
    parts.join(", ")
}
