//! The unit of work: one transaction that changes an account, with all that belongs to its commit. No operation opens a write
//! transaction in another way, so none can forget a note for the caches or lock rows in another order.

use countersign_db::{Conn, DbError, Tx};
use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::model::{Job, JobId};
use crate::session_cache::{Changed, Forgetting};
use crate::store;
use crate::store::jobs::Horizons;

/// A transaction; rolled back when it is dropped.
pub(in crate::operations) struct Change<'a> {
    pub(in crate::operations) accounts: &'a Accounts,
    tx: Tx,
    what: Changed,
    now: Timestamp,
    has_jobs: bool,
}

impl Accounts {
    /// Begins a transaction. The user's row is locked first, whatever else is written, so that changes of one user take turns
    /// and never wait for each other in a circle. When the transaction has ended, this instance's cache has forgotten what
    /// changed, also if the request was dropped between the commit and what follows it.
    pub(in crate::operations) async fn change(&self, what: Changed) -> Result<Change<'_>, DbError> {
        let forgetting = self.session_cache().map(|cache| Forgetting::new(cache.clone(), what));
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
    /// When the change takes place.
    pub(in crate::operations) fn now(&self) -> Timestamp {
        self.now
    }

    /// The connection, for one call of a store function.
    pub(in crate::operations) fn conn(&mut self) -> Conn<'_> {
        self.tx.conn()
    }

    /// Enqueues a job, to be done after the commit. Without a worker in this process it is logged that earlier jobs wait: else
    /// a host that forgot to run them would answer that mails are sent, and none would ever go.
    pub(in crate::operations) async fn enqueue(&mut self, job: &Job) -> Result<(), DbError> {
        let now = self.now;
        store::jobs::insert(self.conn(), JobId::new(now), job, now).await?;
        self.has_jobs = true;
        let Some(long_ago) = self.accounts.workers().missed_since(now) else { return Ok(()) };
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
            self.accounts.jobs_are_due();
        }
        Ok(())
    }

    /// Undoes everything. Dropping does the same, without waiting for it.
    pub(in crate::operations) async fn roll_back(self) -> Result<(), DbError> {
        self.tx.roll_back().await
    }
}
