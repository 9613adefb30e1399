//! Decides what share of the bare engine's rate reaches the clients: whole logins over HTTP at full load, and the engine
//! before and after, in turn.

use std::net::Ipv4Addr;

use crate::broken::Outcome;
use crate::engine::Engine;
use crate::load::Logins;
use crate::machine::{HashingThreads, Usage, cores};
use crate::report::{Figure, Goal};
use crate::statistics::Rounds;
use crate::{Bench, CLIENTS};

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let server = bench.installation.start(&[])?;
    let threads = HashingThreads::find(server.process())?;
    let mut engine = Engine::new(cores())?;
    // Both get their memory from the system before anything counts.
    engine.measure(bench.scale.engine_window / 4)?;
    let mut before = engine.measure(bench.scale.engine_window)?;
    let mut ratios = Vec::new();
    for round in 1..=bench.scale.full_load_rounds {
        let (logins, hash_cpu, shares) = bench.runtime.block_on(async {
            let load = Logins::start(server.address, Ipv4Addr::LOCALHOST, CLIENTS).await?;
            let usage = Usage::now(server.process())?;
            let cpu_before = threads.cpu()?;
            let rate = load.rate(bench.scale.login_window).await;
            let hash_cpu = threads.cpu()?.saturating_sub(cpu_before).div_f64(rate.answered.max(1) as f64);
            let shares = usage.since()?;
            load.stop().await?;
            Outcome::Ok((rate.per_second(), hash_cpu, shares))
        })?;
        let after = engine.measure(bench.scale.engine_window)?;
        // The machine's own speed drifts; this takes what it was just before and just after.
        let ratio = logins / f64::midpoint(before.per_second, after.per_second);
        println!(
            "  round {round}: engine {:.1}/s, logins {logins:.1}/s, engine {:.1}/s: {ratio:.3}; processor time of a hash: \
             {:.1?}, {hash_cpu:.1?}, {:.1?}; {shares}",
            before.per_second, after.per_second, before.hash_cpu, after.hash_cpu,
        );
        ratios.push(ratio);
        before = after;
    }
    server.stop()?;
    let ratios = Rounds(ratios);
    Ok(vec![Figure {
        name: "ratio_login_to_engine",
        value: ratios.median(),
        goal: Goal::AtLeast(0.90),
        note: ratios.to_string(),
    }])
}
