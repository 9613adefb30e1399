//! The share of the bare engine's rate that reaches clients: whole logins over HTTP at full load, and the engine before and
//! after them.

use std::net::Ipv4Addr;

use bench_kit::broken::Outcome;
use bench_kit::engine::Engine;
use bench_kit::machine::cores;
use bench_kit::report::{Figure, Goal};
use bench_kit::rounds::Rounds;

use crate::hashing_threads::HashingThreads;
use crate::load::Logins;
use crate::{Bench, CLIENTS};

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let server = bench.start(&[])?;
    let threads = HashingThreads::find(server.process())?;
    let mut engine = Engine::new(cores())?;
    // The engine gets its memory from the system before anything counts.
    engine.measure(bench.scale.engine_window / 4)?;
    let mut before = engine.measure(bench.scale.engine_window)?;
    let mut ratios = Vec::new();
    for round in 1..=bench.scale.full_load_rounds {
        let (logins, hash_cpu, shares) = bench.runtime.block_on(async {
            let load = Logins::start(server.address, Ipv4Addr::LOCALHOST, CLIENTS).await?;
            let usage = server.usage()?;
            let cpu_before = threads.cpu()?;
            let rate = load.rate(bench.scale.login_window).await;
            let hash_cpu = threads.cpu()?.saturating_sub(cpu_before).div_f64(rate.answered.max(1) as f64);
            let shares = usage.since()?;
            load.stop().await?;
            Outcome::Ok((rate.per_second(), hash_cpu, shares))
        })?;
        let after = engine.measure(bench.scale.engine_window)?;
        // The machine's speed drifts, so the engine counts by its mean just before and just after.
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
    let note = format!("median of {} rounds: {ratios}", ratios.0.len());
    Ok(vec![Figure::new("ratio_login_to_engine", ratios.median(), Goal::AtLeast(0.90), note)])
}
