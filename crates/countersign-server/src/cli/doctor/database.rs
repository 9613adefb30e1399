//! Checks of the database: connection, writes, schema, and the clock compared to its rows.

use countersign::Accounts;
use countersign::config::Config;
use countersign::operator::generate_secret_key;
use countersign_db::{Db, DbError, PoolPolicy, Pooler};

use super::{Examination, Failure, Verdict};
use crate::Host;
use crate::connect::with_remedy;
use crate::schema::{self, SchemaProblem, Usable, refuse_missing};
use crate::settings::ShellSettings;

/// 2026-01-01T00:00:00Z. This program is younger, so a clock with an earlier time was never set.
const CLOCK_SECOND_MIN: i64 = 1_767_225_600;

pub(super) async fn examine<H: Host>(examination: &mut Examination, shell: &ShellSettings) {
    if let Err(missing) = refuse_missing::<H>(&shell.database_url) {
        examination.add(Verdict::Fail, format!("database: {missing}"));
        return;
    }
    let db = match Db::connect(&shell.database_url, &PoolPolicy::default()).await {
        Ok(db) => db,
        Err(error) => {
            examination.add(Verdict::Fail, line(&error));
            return;
        }
    };
    let by_way_of = match shell.database_url.pooler() {
        Pooler::Session => "",
        Pooler::Transaction => ", through a pooler in transaction mode",
    };
    examination.add(Verdict::Ok, format!("database: {} answers{by_way_of}", db.kind()));
    match db.prove_writable().await {
        Ok(()) => examination.add(Verdict::Ok, "database: can be written"),
        Err(error) => examination.add(Verdict::Fail, line(&error)),
    }
    let schema = schema::check::<H>(&db).await;
    let is_usable = schema.is_ok();
    match schema {
        Ok(Usable::Current) => examination.add(Verdict::Ok, "database: the schema is current"),
        Ok(Usable::Expanded) => examination
            .add(Verdict::Ok, "database: the schema was extended by a newer version; this one keeps working with it"),
        Err(SchemaProblem::Db(error)) => examination.add(Verdict::Fail, line(&error)),
        Err(problem) => {
            let Failure(reason) = problem.into();
            examination.add(Verdict::Fail, reason);
        }
    }
    if is_usable {
        clock(examination, shell, &db).await;
    }
    db.close().await;
}

fn line(error: &DbError) -> String {
    format!("database: {}", with_remedy(error))
}

/// Checks the clock, which decides when tokens expire: a wrong one accepts expired tokens or refuses valid ones.
async fn clock(examination: &mut Examination, shell: &ShellSettings, db: &Db) {
    // No token is signed or verified here, so any key will do.
    let accounts = Accounts::new(db.clone(), Config::new(generate_secret_key(), shell.site_url(shell.port)));
    let now = accounts.clock().now();
    match accounts.newest_login_at().await {
        _ if now.as_second() < CLOCK_SECOND_MIN => {
            examination.add(Verdict::Fail, format!("clock: it shows {now:.0}; set the time, preferably with NTP"));
        }
        Ok(Some(newest)) if newest > now => {
            examination.add(
                Verdict::Fail,
                format!(
                    "clock: it shows {now:.0}, but somebody logged in at {newest:.0}; set the time, preferably with NTP"
                ),
            );
        }
        Ok(_) => examination.add(Verdict::Ok, format!("clock: {now:.0}")),
        Err(error) => {
            let Failure(reason) = error.into();
            examination.add(Verdict::Fail, format!("clock: the newest login cannot be read: {reason}"));
        }
    }
}
