//! Kills and restarts instances one by one: which requests fail, and whether anything is lost.

use crate::Rig;
use crate::broken::Outcome;
use crate::cluster::{Cluster, INSTANCES};
use crate::report::{Figure, Goal, counts};

pub(crate) async fn run(rig: &Rig) -> Outcome<Vec<Figure>> {
    let mut cluster = Cluster::start(&rig.program, rig.scale).await?;
    let load = cluster.load().await?;
    for _ in 0..rig.scale.turns {
        for number in 0..INSTANCES {
            cluster.kill(number).await?;
            cluster.some_requests(&load).await?;
        }
    }
    let ledger = load.end().await;
    let lost = cluster.broken_promises(&ledger).await?;
    println!("{}", ledger.summary());
    let kills = rig.scale.turns * INSTANCES;
    // Each client has at most one request in flight at the killed instance.
    let failed_max = (kills * rig.scale.clients) as f64;
    Ok(vec![
        Figure::new("kill_kills", kills as f64, Goal::None, "with SIGKILL, one by one"),
        Figure::new("kill_requests", ledger.asked as f64, Goal::None, "by way of nginx, over TLS"),
        Figure::new("kill_failed", ledger.failures.len() as f64, Goal::AtMost(failed_max), counts(&ledger)),
        Figure::new("kill_lost", lost.len() as f64, Goal::AtMost(0.0), lost.join("; ")),
    ])
}
