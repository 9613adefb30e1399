//! Failover of PostgreSQL to its standby: how long writes fail, and whether anything acknowledged is lost.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::Rig;
use crate::broken::{Broken, Outcome};
use crate::cluster::Cluster;
use crate::report::{Figure, Goal, counts};

/// How long a monitor takes to notice that the primary is gone.
const NOTICED_AFTER: Duration = Duration::from_secs(1);
const RESUMED_MAX: Duration = Duration::from_mins(1);

pub(crate) async fn run(rig: &Rig) -> Outcome<Vec<Figure>> {
    let mut cluster = Cluster::start(&rig.program, rig.scale).await?;
    let standby = cluster.postgres.synchronous_standby()?;
    let load = cluster.load().await?;
    cluster.some_requests(&load).await?;
    let killed = Instant::now();
    cluster.postgres.kill()?;
    sleep(NOTICED_AFTER).await;
    let told = Instant::now();
    standby.promote()?;
    let promoted = Instant::now();
    cluster.forwarder.turn_to(standby.address);
    let writes_before = load.writes();
    while load.writes() == writes_before {
        if promoted.elapsed() > RESUMED_MAX {
            return Err(Broken(format!("nobody can write {RESUMED_MAX:?} after the promotion")));
        }
        sleep(Duration::from_millis(5)).await;
    }
    cluster.some_requests(&load).await?;
    cluster.some_requests(&load).await?;
    let ledger = load.end().await;
    let lost = cluster.broken_promises(&ledger).await?;
    println!("{}", ledger.summary());
    let first = ledger.writes.iter().filter(|at| **at > promoted).min();
    let first = *first.ok_or_else(|| Broken("nothing was written after the promotion".to_owned()))?;
    let last_failure = ledger.failures.iter().map(|failure| failure.at).max().unwrap_or(first);
    let slowest = ledger.failures.iter().map(|failure| failure.waited).max().unwrap_or_default();
    Ok(vec![
        Figure::new("failover_promotion_seconds", (promoted - told).as_secs_f64(), Goal::None, "pg_promote itself"),
        Figure::new(
            "failover_resumed_seconds",
            (first - told).as_secs_f64(),
            Goal::AtMost(10.0),
            "from the call of pg_promote to the first write that was acknowledged",
        ),
        Figure::new(
            "failover_last_failure_seconds",
            last_failure.saturating_duration_since(told).as_secs_f64(),
            Goal::AtMost(10.0),
            "from the call of pg_promote to the last request that failed",
        ),
        Figure::new("failover_outage_seconds", (first - killed).as_secs_f64(), Goal::None, "from the kill"),
        Figure::new("failover_slowest_failure_seconds", slowest.as_secs_f64(), Goal::None, "how long a client waited"),
        Figure::new("failover_failed", ledger.failures.len() as f64, Goal::None, counts(&ledger)),
        Figure::new("failover_lost", lost.len() as f64, Goal::AtMost(0.0), lost.join("; ")),
    ])
}
