//! A rolling upgrade: whether clients notice that the schema is extended and the instances are replaced one by one, and
//! whether an earlier version refuses a contracted schema.

use crate::Rig;
use crate::broken::{Broken, Outcome};
use crate::cluster::{Cluster, INSTANCES};
use crate::report::{Figure, Goal, counts};

/// Selects the contracted variant of the later version.
const CONTRACTS: &[(&str, &str)] = &[("LATER_VERSION", "contracted")];

pub(crate) async fn run(rig: &Rig) -> Outcome<Vec<Figure>> {
    let next = rig.next.as_ref().ok_or_else(|| Broken("--next says which program the next version is".to_owned()))?;
    let mut cluster = Cluster::start(&rig.program, rig.scale).await?;
    let load = cluster.load().await?;
    let migrated = cluster.installation.run(next, "migrate up")?;
    println!("{}", migrated.trim());
    cluster.some_requests(&load).await?;
    let mut ready = 0;
    for instance in &cluster.instances {
        ready += usize::from(instance.is_ready().await);
    }
    let told = cluster.instances.iter().filter(|instance| instance.log().contains("extended by a newer version"));
    println!("{ready} of {INSTANCES} of the version before are ready beside the new schema, {} say so", told.count());
    // A crashed instance restarts in its old version; for a while, both versions run.
    cluster.replace(0, &rig.program).await?;
    for number in 0..INSTANCES {
        cluster.replace(number, next).await?;
        cluster.some_requests(&load).await?;
    }
    let ledger = load.end().await;
    let lost = cluster.broken_promises(&ledger).await?;
    cluster.explain(&ledger);

    cluster.installation.run_with(next, "migrate up", CONTRACTS)?;
    let mut refusals = 0_u32;
    for instance in &cluster.instances {
        refusals += u32::from(!instance.is_ready().await);
    }
    let refused = match cluster.installation.run(&rig.program, "serve") {
        Err(Broken(text)) => text,
        Ok(_) => String::new(),
    };
    let is_clear = refused.contains("was made by a newer blog; install that version or a later one");
    Ok(vec![
        Figure::new("upgrade_requests", ledger.asked as f64, Goal::None, "by way of nginx, over TLS"),
        Figure::new("upgrade_failed", ledger.failures.len() as f64, Goal::AtMost(0.0), counts(&ledger)),
        Figure::new("upgrade_lost", lost.len() as f64, Goal::AtMost(0.0), lost.join("; ")),
        Figure::new(
            "upgrade_ready_beside",
            ready as f64,
            Goal::AtLeast(3.0),
            "earlier instances, on the extended schema",
        ),
        Figure::new("upgrade_not_ready_after_contraction", f64::from(refusals), Goal::AtLeast(3.0), "of three"),
        Figure::new("upgrade_refused", f64::from(u8::from(is_clear)), Goal::AtLeast(1.0), refused),
    ])
}
