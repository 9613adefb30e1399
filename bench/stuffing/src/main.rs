//! The attack's size and the figures. `README.md` beside this explains them.

mod accounts;
mod attack;
mod client;
mod honest;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bench_kit::broken::{Broken, Outcome, While as _};
use bench_kit::machine::{Description, MIB, Resident, raise_open_files};
use bench_kit::report::{self, Figure, Goal};
use bench_kit::server::{Installation, Log, Server};
use bench_kit::statistics::quantile;
use bench_kit::{parts, runtime};
use tokio::task::JoinSet;
use tokio::time::{Instant as Alarm, sleep_until};

use attack::{Attack, Targets, guesses_allowed};

/// For the clients and the server's side of them, with room to spare.
const OPEN_FILES: u64 = 2048;
const TARGETS: Targets = Targets { accounts: 10_000, honest: 50 };
/// The most that a server may grow between a fifth of the attack and its end, in MiB.
const GROWTH_MAX: f64 = 16.0;

/// How long the attack lasts, and how many attempts it makes.
struct Scale {
    window: Duration,
    attempts: usize,
}

const FULL: Scale = Scale { window: Duration::from_mins(10), attempts: 100_000 };
/// Shows that everything works.
const SHORT: Scale = Scale { window: Duration::from_secs(30), attempts: 5_000 };

fn main() -> ExitCode {
    bench_kit::run(run)
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let program = parts::path(&mut arguments)?;
    let scale = if parts::is_short(arguments)? { SHORT } else { FULL };
    println!("{}", Description::read()?);
    raise_open_files(OPEN_FILES)?;
    let runtime = runtime()?;
    let mut installation = Installation::new(&program, &[("TRUSTED_PROXIES", "127.0.0.1")])?;
    // The limits are what is measured.
    installation.unset("RATE_LIMITS");
    let server = installation.start(Log::Checked, &[])?;
    runtime.block_on(accounts::register_first(&server)).doing("registering")?;
    server.stop()?;
    runtime.block_on(accounts::add_others(&installation.folder().join("accounts.db"), TARGETS.accounts))?;

    let server = installation.start(Log::Checked, &[])?;
    let figures = runtime.block_on(measure(&server, &scale))?;
    server.stop()?;
    report::print(&figures);
    Ok(())
}

async fn measure(server: &Server, scale: &Scale) -> Outcome<Vec<Figure>> {
    let people = honest::meet(server.address, TARGETS.honest).await.doing("logging in before the attack")?;
    let usage = server.usage()?;
    let begun = Instant::now();
    let end = begun + scale.window;
    println!("\n{} attempts from 1,000 addresses in {:?}", scale.attempts, scale.window);

    let attack = Attack::begin(server.address, TARGETS, scale.attempts, scale.window);
    let (process, warm) = (server.process(), begun + scale.window / 5);
    let mut early = JoinSet::new();
    early.spawn(async move {
        // By then the server has touched all memory that it needs under attack.
        sleep_until(Alarm::from_std(warm)).await;
        Resident::read(process).map(|resident| resident.now)
    });
    let honest = honest::log_in(server.address, people, end).await.doing("logging in during the attack")?;
    let early = early.join_next().await.ok_or_else(|| Broken("nobody looked at the memory".to_owned()))???;
    let attack = attack.end().await.doing("attacking")?;
    let late = Resident::read(server.process())?.now;
    let window = begun.elapsed();

    println!("  attacker: {} attempts, {}", attack.attempts, counts(&attack.answers));
    println!("  honest users: {}", counts(&honest.answers));
    let [median, p99] = [0.5, 0.99].map(|share| quantile(&honest.times, share));
    println!("  their logins took {median:.2} s (median), {p99:.2} s (p99)");
    println!(
        "  resident MiB: {:.1} early, {:.1} at the end; {}",
        early as f64 / MIB,
        late as f64 / MIB,
        usage.since()?
    );
    Ok(vec![
        Figure::new(
            "attempts",
            attack.attempts as f64,
            Goal::AtLeast(scale.attempts as f64),
            "wrong passwords that the attacker sent",
        ),
        Figure::new(
            "honest_success_percent",
            honest.success_percent(),
            Goal::AtLeast(99.0),
            format!("{} logins on known devices of {} users", honest.times.len(), TARGETS.honest),
        ),
        Figure::new(
            "guesses_per_account_max",
            attack.guesses_max.into(),
            Goal::AtMost(guesses_allowed(window).into()),
            format!("of {} guesses; goal: the documented limit for {window:.0?} (109 for a day)", attack.guesses),
        ),
        Figure::new(
            "rss_growth_mib",
            (late as f64 - early as f64) / MIB,
            Goal::AtMost(GROWTH_MAX),
            "from a fifth of the time to the end",
        ),
    ])
}

fn counts(answers: &BTreeMap<u16, usize>) -> String {
    let parts: Vec<String> = answers.iter().map(|(status, count)| format!("{count} x {status}")).collect();
    parts.join(", ")
}
