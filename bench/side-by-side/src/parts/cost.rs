//! The resources of a server: memory, time to start, processor time of a login, its size, and bytes in the database.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bench_kit::account::User;
use bench_kit::broken::{Outcome, While as _};
use bench_kit::machine::{MIB, cores};
use bench_kit::report::{Goal, short};
use bench_kit::rounds::Rounds;
use bench_kit::server::{Installation, Log};

use crate::Bench;
use crate::contestant::{Contestant, Dialect, OURS};
use crate::field::{Entrant, HASH_BYTES, Home, or_left_out, order};
use crate::fill::Store;
use crate::findings::Findings;
use crate::load::{self, Plan};
use crate::parts::logins::{CROWD, USERS, crowd};

/// After the start, before memory counts as idle.
const REST: Duration = Duration::from_secs(2);
const CLIENTS: usize = 8;
const DEADLINE: Duration = Duration::from_mins(2);
/// Memory beside the hashing budget: for a thousand connections, and everything else that serving needs.
const BESIDE_BUDGET_MIB: f64 = 64.0;

pub(crate) fn measure(bench: &Bench, findings: &mut Findings) -> Outcome<()> {
    bench.runtime.block_on(async {
        let mut all: Vec<_> = bench.contestants().collect();
        for round in 0..bench.scale.crowd_rounds {
            let mut left_out = Vec::new();
            for place in order(all.len(), round) {
                let done = cost(bench, findings, all[place]).await.doing(&all[place].name);
                if or_left_out(findings, all[place], done)?.is_none() {
                    left_out.push(all[place].name.clone());
                }
            }
            all.retain(|contestant| !left_out.contains(&contestant.name));
        }
        for contestant in all {
            let done = database(bench, findings, contestant).await.doing(&contestant.name);
            or_left_out(findings, contestant, done)?;
        }
        Outcome::Ok(())
    })?;
    over_budget(findings);
    Ok(())
}

/// Memory for one hash on each core: the smallest budget under which every core hashes.
fn budget_bytes() -> u64 {
    cores() as u64 * HASH_BYTES
}

async fn cost(bench: &Bench, findings: &mut Findings, contestant: &Contestant) -> Outcome<()> {
    let installation = Home::Sqlite.install(bench, contestant)?;
    let budget = budget_bytes().to_string();
    let connections = (CROWD + 100).to_string();
    let settings = [("HASHING_MEMORY_BYTES_MAX", budget.as_str()), ("CONNECTIONS_MAX", connections.as_str())];
    let settings = if contestant.dialect == Dialect::Ours { &settings[..] } else { &[] };
    let name = &contestant.name;
    // The first start makes the schema.
    installation.start(Log::Nowhere, settings)?.stop_peer()?;
    let server = installation.start(Log::Nowhere, settings)?;
    findings.add(
        "cost-start",
        "From the start of the process to the first answer",
        "ms",
        name,
        milliseconds(server.start),
    );
    tokio::time::sleep(REST).await;
    let idle = server.tree().resident()?.now as f64 / MIB;
    findings.add("cost-idle", "Resident memory, idle", "MiB", name, idle);
    let size = size(bench, contestant, &server.tree().program()?)? as f64 / MIB;
    findings.add("cost-size", "Size of the program, or of the folder with what it needs", "MiB", name, size);

    let entrant = Entrant { contestant, server, installation };
    entrant.register(USERS).await?;
    let requests = Arc::new((0..USERS).map(|number| contestant.login(User(number))).collect());
    let plan = Plan { clients: CLIENTS, window: bench.scale.login_window, deadline: DEADLINE, status: 200 };
    let load = load::run(&entrant.server, plan, &requests).await?.whole()?;
    let what = format!("Processor time of the server for a login, {CLIENTS} at a time");
    findings.add("cost-login", &what, "ms", name, milliseconds(load.cpu()));
    findings.spent(load.spent);
    let tree = entrant.server.tree();
    let crowded = crowd(bench, &entrant).await?;
    let peak = match crowded.killed_at {
        Some(bytes) => {
            findings.note(format!("{name} was killed at its peak, before it took all memory of the machine"));
            bytes as f64 / MIB
        }
        None => tree.resident()?.peak as f64 / MIB,
    };
    findings.add(
        "cost-peak",
        &format!("Resident memory at its peak, {} logins at once", short(CROWD as f64)),
        "MiB",
        name,
        peak,
    );
    println!(
        "  {name}: start {} ms, idle {} MiB, peak {} MiB, {} ms of processor time a login, {} MiB on disk; the crowd: {}",
        short(milliseconds(entrant.server.start)),
        short(idle),
        short(peak),
        short(milliseconds(load.cpu())),
        short(size),
        crowded.load.summary(),
    );
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The size of a program that was built; a script needs its whole folder.
fn size(bench: &Bench, contestant: &Contestant, program: &Path) -> Outcome<u64> {
    let own = bench.work.join(&contestant.name);
    let beside = contestant.program.parent().unwrap_or(Path::new("/"));
    if contestant.dialect == Dialect::Ours || program.starts_with(&bench.work) || program.starts_with(beside) {
        return bytes_on_disk(program);
    }
    let folder = if own.exists() { &own } else { beside };
    bytes_on_disk(folder)
}

/// The size of a file, or of everything in a folder.
fn bytes_on_disk(path: &Path) -> Outcome<u64> {
    let metadata = fs::symlink_metadata(path).doing(path.display())?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut sum = 0;
    for entry in fs::read_dir(path).doing(path.display())? {
        sum += bytes_on_disk(&entry?.path())?;
    }
    Ok(sum)
}

/// Bytes of a registration and of a login, by the growth of the file after many of them.
async fn database(bench: &Bench, findings: &mut Findings, contestant: &Contestant) -> Outcome<()> {
    let installation = Entrant::start(bench, contestant, &Home::Sqlite)?.end()?;
    let before = used(&installation).await?;
    let entrant = Entrant::begin(contestant, installation)?;
    entrant.register(bench.scale.rows).await?;
    let installation = entrant.end()?;
    let registered = used(&installation).await?;
    let entrant = Entrant::begin(contestant, installation)?;
    entrant.sessions(bench.scale.rows, bench.scale.rows).await?;
    let logged_in = used(&entrant.end()?).await?;
    for (id, what, from, to) in [
        ("cost-bytes-user", "SQLite database for each user", before, registered),
        ("cost-bytes-session", "SQLite database for each login", registered, logged_in),
    ] {
        let each = to.saturating_sub(from) as f64 / bench.scale.rows as f64;
        println!("  {id} {}: {} bytes", contestant.name, short(each));
        findings.add(id, what, "bytes", &contestant.name, each);
    }
    Ok(())
}

async fn used(installation: &Installation) -> Outcome<u64> {
    let mut store = Store::open(installation).await?;
    let used = store.used().await?;
    store.close().await?;
    Ok(used)
}

fn over_budget(findings: &mut Findings) {
    let of = |id: &str| findings.measures.iter().find(|measure| measure.id == id)?.of(OURS).cloned();
    let (Some(Rounds(idle)), Some(Rounds(peak))) = (of("cost-idle"), of("cost-peak")) else { return };
    let budget = budget_bytes() as f64 / MIB;
    let beside = idle.iter().zip(&peak).map(|(idle, peak)| (peak - idle - budget).max(0.0)).collect();
    findings.figure(
        "cost-peak-over-budget".to_owned(),
        format!("Peak at {} logins at once over idle and the hashing budget of {budget:.0} MiB", short(CROWD as f64)),
        "MiB",
        Rounds(beside),
        Some(Goal::AtMost(BESIDE_BUDGET_MIB)),
    );
}
