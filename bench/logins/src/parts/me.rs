//! How long a request for one's account takes while others log in without pause.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench_kit::account::me;
use bench_kit::broken::{Outcome, broken};
use bench_kit::open_loop::{Schedule, ask};
use bench_kit::report::{Figure, Goal};

use crate::Bench;
use crate::load::Logins;
use crate::parts::token;

const LOGIN_CLIENTS: usize = 16;
const PER_SECOND: u32 = 100;
/// An answer that comes later than this after the last request was due never came.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let server = bench.start(&[])?;
    let schedule = Schedule { per_second: PER_SECOND, window: bench.scale.me_window, grace: GRACE };
    let (times, rate, spent) = bench.runtime.block_on(async {
        let request = Arc::new(me(&token(&server).await?));
        let load = Logins::start(server.address, Ipv4Addr::LOCALHOST, LOGIN_CLIENTS).await?;
        let usage = server.usage()?;
        let (begun, before) = (Instant::now(), load.answered());
        let times = ask(server.address, &request, schedule).await?;
        let rate = (load.answered() - before) as f64 / begun.elapsed().as_secs_f64();
        let spent = usage.since()?;
        load.stop().await?;
        Outcome::Ok((times, rate, spent))
    })?;
    server.stop()?;
    if times.failed > 0 {
        return broken(format!("{} requests got no 200", times.failed));
    }
    let (total, unanswered, sent_late) = (schedule.total(), times.unanswered, times.sent_late());
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| times.quantile(share));
    println!(
        "  {total} requests: p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms, unanswered {unanswered}; sent up to \
         {sent_late:.2} ms late (p99); {rate:.1} logins/s meanwhile; {spent}",
    );
    let note = format!("p50 {p50:.2}, max {max:.2}, unanswered {unanswered} of {total}; {rate:.0} logins/s meanwhile");
    Ok(vec![Figure::new("me_p99_ms", p99, Goal::AtMost(15.0), note)])
}
