//! The rates of logins and registrations, and their share of the bare engine's rate.

use std::sync::Arc;
use std::time::Duration;

use bench_kit::account::User;
use bench_kit::broken::{Outcome, While as _};
use bench_kit::engine::Engine;
use bench_kit::machine::cores;
use bench_kit::report::short;
use bench_kit::settle;
use bench_kit::statistics::quantile;

use crate::Bench;
use crate::field::{Entrant, Home, entrants, or_left_out, order};
use crate::findings::Findings;
use crate::load::{self, Load, Plan};
use crate::watch::Watch;

pub(crate) const USERS: usize = 64;
/// Numbers of clients; the crowd has its own measurement.
const CLIENTS: [usize; 3] = [1, 8, 64];
pub(crate) const CROWD: usize = 1000;
const REGISTERING: usize = 8;
/// More than any server here registers within a window.
const REGISTRATIONS: usize = 3000;
const DEADLINE: Duration = Duration::from_mins(2);
const ENGINE: &str = "bare engine";

/// The least ratios of ours to the others.
const GOALS: [(&str, f64); 4] = [("fastapi", 7.0), ("axum-usual", 5.0), ("better-auth", 3.0), (ENGINE, 0.9)];

pub(crate) fn measure(bench: &Bench, findings: &mut Findings) -> Outcome<()> {
    bench.runtime.block_on(async {
        let mut field = entrants(bench, findings, &Home::Sqlite, USERS).await?;
        let mut engine = Engine::new(cores())?;
        // The engine gets its memory from the system before anything counts.
        engine.measure(bench.scale.login_window / 4)?;
        for round in 0..bench.scale.rounds {
            for clients in CLIENTS {
                logins(bench, findings, &mut field, &mut engine, (round, clients)).await?;
            }
            register(bench, findings, &mut field, round).await?;
        }
        drop(field);
        for round in 0..bench.scale.crowd_rounds {
            crowds(bench, findings, round).await?;
        }
        Outcome::Ok(())
    })?;
    for clients in CLIENTS {
        // One client leaves all cores but one idle, so the engine on all of them is not its limit.
        let goals = if clients == 1 { &[] } else { &GOALS[..] };
        findings.ratios(&format!("logins-c{clients}"), goals);
    }
    findings.ratios(&format!("logins-c{CROWD}"), &[]);
    findings.ratios("register", &[]);
    Ok(())
}

/// One round of one number of clients.
async fn logins(
    bench: &Bench,
    findings: &mut Findings,
    field: &mut Vec<Entrant<'_>>,
    engine: &mut Engine,
    (round, clients): (usize, usize),
) -> Outcome<()> {
    let id = format!("logins-c{clients}");
    let what = format!("Logins, {clients} at a time");
    let plan = Plan { clients, window: bench.scale.login_window, deadline: DEADLINE, status: 200 };
    let mut left_out = Vec::new();
    for place in order(field.len(), round) {
        let entrant = &field[place];
        settle().await;
        let before = entrant.is_ours().then(|| engine.measure(bench.scale.engine_window)).transpose()?;
        let requests = (0..USERS).map(|number| entrant.contestant.login(User(number))).collect();
        let load = load::run(&entrant.server, plan, &Arc::new(requests)).await?.whole();
        let Some(load) = or_left_out(findings, entrant.contestant, load.doing(entrant.name()))? else {
            left_out.push(place);
            continue;
        };
        if let Some(before) = before {
            let after = engine.measure(bench.scale.engine_window)?;
            // The machine's speed drifts, so the engine counts by its mean just before and just after.
            let limit = f64::midpoint(before.per_second, after.per_second);
            findings.add(&id, &what, "logins/s", ENGINE, limit);
        }
        findings.add(&id, &what, "logins/s", entrant.name(), load.rate());
        latency(findings, &id, &what, entrant.name(), &load);
        print(findings, &id, entrant.name(), &load);
    }
    leave(field, left_out);
    Ok(())
}

async fn register(bench: &Bench, findings: &mut Findings, field: &mut Vec<Entrant<'_>>, round: usize) -> Outcome<()> {
    let what = format!("Registrations, {REGISTERING} at a time");
    let mut left_out = Vec::new();
    for place in order(field.len(), round) {
        let entrant = &field[place];
        settle().await;
        let first = USERS + round * REGISTRATIONS;
        let newcomers = first..first + REGISTRATIONS;
        let requests = newcomers.map(|number| entrant.contestant.registration(User(number))).collect();
        let status = entrant.contestant.registered();
        let plan = Plan { clients: REGISTERING, window: bench.scale.login_window, deadline: DEADLINE, status };
        let load = load::run(&entrant.server, plan, &Arc::new(requests)).await?.whole();
        let Some(load) = or_left_out(findings, entrant.contestant, load.doing(entrant.name()))? else {
            left_out.push(place);
            continue;
        };
        findings.add("register", &what, "registrations/s", entrant.name(), load.rate());
        print(findings, "register", entrant.name(), &load);
    }
    leave(field, left_out);
    Ok(())
}

fn latency(findings: &mut Findings, id: &str, what: &str, name: &str, load: &Load) {
    for (share, word) in [(0.5, "p50"), (0.99, "p99")] {
        let value = quantile(&load.latencies, share);
        findings.add(&format!("{id}-{word}"), &format!("{what}: time of an answer, {word}"), "ms", name, value);
    }
}

fn print(findings: &mut Findings, id: &str, name: &str, load: &Load) {
    if load.refused + load.failed > 0 {
        findings.note(format!("{id} {name}, in one round: {}", load.summary()));
    }
    let spent = findings.spent(load.spent);
    let cpu = load.cpu().as_secs_f64() * 1e3;
    println!("  {id} {name}: {}/s, {} ms of processor time each; {spent}", short(load.rate()), short(cpu));
}

/// Removes contestants that broke from the later rounds.
pub(crate) fn leave(field: &mut Vec<Entrant<'_>>, mut places: Vec<usize>) {
    places.sort_unstable();
    for place in places.into_iter().rev() {
        drop(field.remove(place));
    }
}

/// A thousand clients log in at once; each contestant gets a new server, because some continue to hash for clients that left.
async fn crowds(bench: &Bench, findings: &mut Findings, round: usize) -> Outcome<()> {
    let id = format!("logins-c{CROWD}");
    let all: Vec<_> = bench.contestants().collect();
    for place in order(all.len(), round) {
        let contestant = all[place];
        let crowd = async {
            let entrant = Entrant::start(bench, contestant, &Home::Sqlite)?;
            entrant.register(USERS).await?;
            crowd(bench, &entrant).await
        };
        let Some(Crowd { load, killed_at }) = or_left_out(findings, contestant, crowd.await)? else { continue };
        if let Some(bytes) = killed_at {
            findings.note(format!(
                "{} was killed at {} GiB with {} logins at once, before it took all memory of the machine",
                contestant.name,
                short(bytes as f64 / f64::from(1 << 30)),
                short(CROWD as f64),
            ));
            continue;
        }
        findings.add(
            &id,
            &format!("Logins, {} at once", short(CROWD as f64)),
            "logins/s",
            &contestant.name,
            load.rate(),
        );
        print(findings, &id, &contestant.name, &load);
    }
    Ok(())
}

pub(crate) struct Crowd {
    pub(crate) load: Load,
    /// The memory of the server when it was killed for it.
    pub(crate) killed_at: Option<u64>,
}

/// A thousand logins at once. The server is not used any more after them.
pub(crate) async fn crowd(bench: &Bench, entrant: &Entrant<'_>) -> Outcome<Crowd> {
    let requests = Arc::new((0..USERS).map(|number| entrant.contestant.login(User(number))).collect());
    let plan = Plan { clients: CROWD, window: Duration::ZERO, deadline: bench.scale.crowd_deadline, status: 200 };
    let watch = Watch::start(entrant.server.tree())?;
    let load = load::run(&entrant.server, plan, &requests).await;
    let killed_at = watch.stop()?;
    Ok(Crowd { load: load?, killed_at })
}
