//! How work is promised: in the transaction that causes it, by a process that should have somebody who does it.

use countersign_db::{Conn, DbError};
use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::model::{Job, JobId};
use crate::store;
use crate::store::jobs::Horizons;

impl Accounts {
    /// Promises a job. Where no worker runs, it is said that earlier ones are not done: else a host that forgot to run them
    /// would answer that mails are sent, and none would ever go.
    pub(in crate::operations) async fn promise_job(
        &self,
        mut conn: Conn<'_>,
        job: &Job,
        now: Timestamp,
    ) -> Result<(), DbError> {
        store::jobs::insert(conn.reborrow(), JobId::new(now), job, now).await?;
        let Some(long_ago) = self.workers().missed_since(now) else { return Ok(()) };
        let waiting = store::jobs::list_due(conn, Horizons::endless(long_ago), 1).await?;
        if let Some(due_since) = waiting.first().and_then(|(_, run_at)| run_at.timestamp()) {
            tracing::warn!(
                %due_since,
                "jobs such as mails wait for more than a minute and nobody does them: this process has no worker; spawn \
                 `accounts.run_jobs(…)` beside the server"
            );
        }
        Ok(())
    }
}
