//! The `migrate` commands.

use countersign_db::PoolPolicy;

use super::table::table;
use super::{Failure, Finding, print_error, say, settings_for};
use crate::Host;
use crate::connect::connect;
use crate::schema::{self, create_private_file, migrations, refuse_missing};
use crate::settings::Purpose;

pub(super) async fn status<H: Host>() -> Result<Finding, Failure> {
    let url = settings_for::<H>(Purpose::Inspect)?.shell.database_url;
    refuse_missing::<H>(&url)?;
    let db = connect(&url, &PoolPolicy::default()).await?;
    let statuses = db.schema(&migrations::<H>()).await?;
    let whole = schema::refuse_half_copied::<H>(&db).await;
    db.close().await;

    let mut rows = vec![["SET", "VERSION", "NAME", "STATE"].map(str::to_owned)];
    for status in &statuses {
        let row = |version: i64, name: &str, state: &str| {
            [status.set.to_owned(), version.to_string(), name.to_owned(), state.to_owned()]
        };
        rows.extend(status.applied.iter().map(|step| {
            let state = if status.altered.contains(&step.version) { "applied, but altered" } else { "applied" };
            row(step.version, step.name, state)
        }));
        rows.extend(status.pending.iter().map(|step| row(step.version, step.name, "pending")));
        rows.extend(status.unknown.iter().map(|step| {
            let state = if step.is_expansion() { "added by a newer version" } else { "applied by a newer version" };
            row(step.version, &step.name, state)
        }));
    }
    say(format_args!("{}", table(&rows)));
    let mut finding = Finding::InOrder;
    let verdicts = statuses.iter().map(|status| schema::verdict::<H>(status).map(drop));
    for verdict in verdicts.chain([whole]) {
        if let Err(problem) = verdict {
            print_error(&format!("error: {problem}"));
            finding = Finding::NotInOrder;
        }
    }
    Ok(finding)
}

pub(super) async fn up<H: Host>() -> Result<Finding, Failure> {
    let url = settings_for::<H>(Purpose::Inspect)?.shell.database_url;
    create_private_file(&url)?;
    let db = connect(&url, &PoolPolicy::default()).await?;
    let applied = schema::bring_up_to_date::<H>(&db).await?;
    db.close().await;
    for migration in &applied {
        say(format_args!("applied {} {} {}", migration.set, migration.step.version, migration.step.name));
    }
    if applied.is_empty() {
        say(format_args!("nothing to do, the schema is current"));
    }
    Ok(Finding::InOrder)
}
