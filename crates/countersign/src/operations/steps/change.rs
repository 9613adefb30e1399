//! The unit of work: one transaction that changes an account, with its cache note and its jobs. No operation opens a
//! write transaction in another way, so none can omit the note for the caches or lock rows in another order.

use countersign_db::{Conn, DbError, Tx};
use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::model::{Job, JobId};
use crate::session_cache::{Changed, PendingEviction};
use crate::store;
use crate::store::jobs::Horizons;

/// A write transaction; rolled back on drop.
pub(in crate::operations) struct Change<'a> {
    pub(in crate::operations) accounts: &'a Accounts,
    tx: Tx,
    what: Changed,
    now: Timestamp,
    has_jobs: bool,
}

impl Accounts {
    /// Begins a transaction. The user's row is locked first, so that changes to one user are serialised and cannot
    /// deadlock. When the transaction ends, this instance evicts the changed entries from its cache, even if the
    /// request is dropped right after the commit.
    pub(in crate::operations) async fn change(&self, what: Changed) -> Result<Change<'_>, DbError> {
        let forgetting = self.session_cache().map(|cache| PendingEviction::new(cache.clone(), what));
        let mut tx = self.db().write().await?;
        tx.keep(forgetting);
        let now = self.clock().now();
        if let Some(user) = what.user() {
            store::users::lock(tx.conn(), user).await?;
        }
        Ok(Change { accounts: self, tx, what, now, has_jobs: false })
    }
}

impl Change<'_> {
    /// The time of the change.
    pub(in crate::operations) fn now(&self) -> Timestamp {
        self.now
    }

    /// The connection, for one call of a store function.
    pub(in crate::operations) fn conn(&mut self) -> Conn<'_> {
        self.tx.conn()
    }

    /// Enqueues a job that runs after the commit. If this process has no worker and earlier jobs are overdue, logs a
    /// warning: otherwise a host that forgot to run jobs would answer that mails are sent, and none would be.
    pub(in crate::operations) async fn enqueue(&mut self, job: &Job) -> Result<(), DbError> {
        let now = self.now;
        store::jobs::insert(self.conn(), JobId::new(now), job, now).await?;
        self.has_jobs = true;
        let Some(long_ago) = self.accounts.workers().unattended_since(now) else { return Ok(()) };
        let waiting = store::jobs::list_due(self.conn(), Horizons::endless(long_ago), 1).await?;
        if let Some(due_since) = waiting.first().and_then(|(_, run_at)| run_at.timestamp()) {
            tracing::warn!(
                %due_since,
                "jobs such as mails wait for more than a minute and nobody does them: this process has no worker; spawn \
                 `accounts.run_jobs(…)` beside the server"
            );
        }
        Ok(())
    }

    /// Commits, with a note for the other instances, and wakes the worker.
    pub(in crate::operations) async fn commit(mut self) -> Result<(), DbError> {
        if let Some((user, session)) = self.what.note() {
            let now = self.now;
            store::changes::insert(self.conn(), user, session, now).await?;
        }
        self.tx.commit().await?;
        if self.has_jobs {
            self.accounts.wake_worker();
        }
        Ok(())
    }

    /// Rolls back. Dropping does the same without waiting for it.
    pub(in crate::operations) async fn roll_back(self) -> Result<(), DbError> {
        self.tx.roll_back().await
    }
}
