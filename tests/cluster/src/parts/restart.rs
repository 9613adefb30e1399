//! A rolling restart of all instances: whether clients notice.

use crate::Rig;
use crate::broken::Outcome;
use crate::cluster::{Cluster, INSTANCES};
use crate::report::{Figure, Goal, counts};

pub(crate) async fn run(rig: &Rig) -> Outcome<Vec<Figure>> {
    let mut cluster = Cluster::start(&rig.program, rig.scale).await?;
    let load = cluster.load().await?;
    for _ in 0..rig.scale.turns {
        for number in 0..INSTANCES {
            cluster.replace(number, &rig.program).await?;
            cluster.some_requests(&load).await?;
        }
    }
    let ledger = load.end().await;
    let lost = cluster.broken_promises(&ledger).await?;
    cluster.explain(&ledger);
    Ok(vec![
        Figure::new("restart_restarts", (rig.scale.turns * INSTANCES) as f64, Goal::None, "by SIGTERM, one by one"),
        Figure::new("restart_requests", ledger.asked as f64, Goal::None, "by way of nginx, over TLS"),
        Figure::new("restart_failed", ledger.failures.len() as f64, Goal::AtMost(0.0), counts(&ledger)),
        Figure::new("restart_lost", lost.len() as f64, Goal::AtMost(0.0), lost.join("; ")),
    ])
}
