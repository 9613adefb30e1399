//! Background jobs: when they run, retries and periodic work. Every instance runs jobs, and each job is run by the
//! first to claim it.
//!
//! A job is written in the transaction that causes it. An instance claims it by moving its time ahead by [`LEASE`]. If
//! the instance dies, the job is due again at that time. So a job runs at least once. It runs twice only if an instance
//! dies between the work and recording it, is suspended for longer than the lease, or has a clock that is minutes
//! wrong. A time further ahead than any wait comes from such a clock and counts as now.

mod mail;
#[cfg(feature = "pictures")]
mod pictures;
mod recipes;
mod recurring;
mod sweep;

#[cfg(feature = "pictures")]
pub use pictures::{PICTURE_AGE_MIN, SweepPicturesError, SweptPictures};
pub use recurring::RecurringJob;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use countersign_db::{DbError, TRACE_TARGET};
use jiff::{SignedDuration, Timestamp};
use tokio::task::{Id, JoinSet};
use tokio::time::{sleep, timeout};
use tracing::{Instrument as _, info_span};
use uuid::Uuid;

use crate::accounts::Accounts;
use crate::mail::SendMailError;
use crate::model::{Horizon, Job, JobBacklog, JobId, QueuedJob, later};
use crate::secrets;
use crate::store;
use crate::store::jobs::{Claimed, Horizons};

/// Concurrent jobs per instance.
const AT_ONCE: usize = 8;
/// How often the queue is checked for jobs of other instances and for retries. Jobs of this instance start at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Maximum duration of one attempt.
const TRY_MAX: Duration = Duration::from_mins(1);
/// How long a claimed job is reserved: longer than an attempt and recording its outcome.
const LEASE: SignedDuration = SignedDuration::from_mins(2);
/// The wait after the first failure. It doubles with each further one.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(2);
const WAIT_MAX: SignedDuration = SignedDuration::from_mins(5);
/// The furthest that a one-off job is scheduled ahead: the longest wait plus jitter. A lease is shorter.
const ONCE_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(6);
/// Jobs older than this are marked failed, and a host's that this version does not know are deleted.
const PATIENCE: SignedDuration = SignedDuration::from_hours(48);
/// How long running attempts may take to finish when serving stops.
const STOP_MAX: Duration = Duration::from_secs(5);
/// How often expired rows are deleted, by one of the instances.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_mins(10);
/// How often picture files without a user are deleted, by one of the instances.
const SWEEP_PICTURES_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Maximum number of jobs in a list.
const LIST_MAX: i64 = 1_000;

/// Why a job failed.
enum JobError {
    /// A retry may succeed.
    Later(String),
    /// A retry cannot succeed.
    Never(String),
}

impl From<DbError> for JobError {
    fn from(error: DbError) -> Self {
        Self::Later(error.to_string())
    }
}

impl From<SendMailError> for JobError {
    fn from(error: SendMailError) -> Self {
        let text = error.to_string();
        if error.is_for_good() { Self::Never(text) } else { Self::Later(text) }
    }
}

impl Accounts {
    /// Runs jobs until `stop` completes. Running attempts may then finish, and claimed jobs that have not started are
    /// released. Every instance calls this once.
    pub async fn run_jobs(&self, stop: impl Future<Output = ()>) {
        self.run_jobs_and(Vec::new(), stop).await;
    }

    /// Runs jobs like [`Self::run_jobs`], and a host's recurring jobs besides.
    pub async fn run_jobs_and(&self, recurring: Vec<RecurringJob>, stop: impl Future<Output = ()>) {
        let recurring: Arc<[RecurringJob]> = recurring.into();
        self.event_counts().add_job_kinds(recurring.iter().map(RecurringJob::name));
        let _at_work = self.workers().arrive();
        let mut stop = std::pin::pin!(stop);
        let mut tries: JoinSet<()> = JoinSet::new();
        let mut taken: HashMap<Id, Claimed> = HashMap::new();
        if let Err(error) = self.enqueue_periodic_jobs(&recurring).await {
            tracing::warn!(%error, "the periodic work could not be planned");
        }
        let accounts = self.clone();
        tries.spawn(async move {
            if let Err(error) = accounts.find_password_recipes().await {
                tracing::warn!(%error, "the recipes of password hashes could not be looked up");
            }
        });
        loop {
            match self.take_jobs(AT_ONCE - tries.len()).await {
                Ok(claimed) => {
                    for job in claimed {
                        let (accounts, recurring) = (self.clone(), Arc::clone(&recurring));
                        let id = tries.spawn({
                            let job = job.clone();
                            let span = info_span!(target: TRACE_TARGET, parent: None, "job", kind = job.kind);
                            async move { accounts.do_job(&job, &recurring).await }.instrument(span)
                        });
                        taken.insert(id.id(), job);
                    }
                }
                Err(error) => tracing::warn!(%error, "jobs cannot be taken at the moment"),
            }
            let is_full = tries.len() >= AT_ONCE;
            tokio::select! {
                () = &mut stop => break,
                Some(done) = tries.join_next_with_id(), if !tries.is_empty() => {
                    let id = done.map_or_else(|panicked| panicked.id(), |(id, ())| id);
                    taken.remove(&id);
                }
                () = self.wait_for_jobs(), if !is_full => {}
                () = sleep(LOOK_EVERY), if !is_full => {}
            }
        }
        let finish = async {
            while let Some(done) = tries.join_next_with_id().await {
                let id = done.map_or_else(|panicked| panicked.id(), |(id, ())| id);
                taken.remove(&id);
            }
        };
        let _ = timeout(STOP_MAX, finish).await;
        tries.shutdown().await;
        if let Err(error) = self.hand_back(taken.into_values()).await {
            tracing::warn!(%error, "jobs under way are not handed back and will be taken when their lease is over");
        }
    }

    /// Runs due jobs, and those that they enqueue, until none is left. Returns how many ran. For tests and commands;
    /// it knows no recurring jobs of a host.
    pub async fn run_due_jobs(&self) -> Result<usize, DbError> {
        let mut done = 0;
        loop {
            let claimed = self.take_jobs(AT_ONCE).await?;
            if claimed.is_empty() {
                return Ok(done);
            }
            for job in claimed {
                self.do_job(&job, &[]).await;
                done += 1;
            }
        }
    }

    /// Lists waiting and failed jobs, oldest first, at most 1,000.
    pub async fn list_jobs(&self) -> Result<Vec<QueuedJob>, DbError> {
        store::jobs::list(self.db().read().await?.conn(), LIST_MAX).await
    }

    /// Returns the size of the queue, which all instances share.
    pub async fn job_backlog(&self) -> Result<JobBacklog, DbError> {
        store::jobs::count_backlog(self.db().read().await?.conn(), horizons(self.clock().now())).await
    }

    /// Retries a job now, or all failed ones. Returns how many.
    pub async fn retry_jobs(&self, id: Option<JobId>) -> Result<u64, DbError> {
        let mut tx = self.db().write().await?;
        let retried = store::jobs::retry(tx.conn(), id, self.clock().now()).await?;
        tx.commit().await?;
        self.wake_worker();
        Ok(retried)
    }

    /// Enqueues the periodic jobs. Their fixed ids are the same for all instances.
    async fn enqueue_periodic_jobs(&self, recurring: &[RecurringJob]) -> Result<(), DbError> {
        let now = self.clock().now();
        let mut tx = self.db().write().await?;
        store::jobs::insert(tx.conn(), JobId::from(Uuid::from_u128(1)), &Job::Sweep, now).await?;
        #[cfg(feature = "pictures")]
        store::jobs::insert(tx.conn(), JobId::from(Uuid::from_u128(2)), &Job::SweepPictures, now).await?;
        for job in recurring {
            store::jobs::insert_recurring(tx.conn(), job.id(), job.name(), now).await?;
        }
        tx.commit().await
    }

    /// Reads before writing: usually no job is due.
    async fn take_jobs(&self, max: usize) -> Result<Vec<Claimed>, DbError> {
        let now = self.clock().now();
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let due = store::jobs::list_due(self.db().read().await?.conn(), horizons(now), max).await?;
        let mut claimed = Vec::with_capacity(due.len());
        if due.is_empty() {
            return Ok(claimed);
        }
        let mut tx = self.db().write().await?;
        let until = later(now, LEASE);
        for job in due {
            claimed.extend(store::jobs::claim(tx.conn(), job, until).await?);
        }
        tx.commit().await?;
        Ok(claimed)
    }

    async fn do_job(&self, claimed: &Claimed, recurring: &[RecurringJob]) {
        let own = recurring.iter().find(|job| job.name() == claimed.kind);
        let attempt = async {
            match (claimed.job(), own) {
                (Some(job), _) => self.try_job(&job, claimed.id).await,
                (None, Some(own)) => own.attempt().await,
                (None, None) => Err(JobError::Later("this version does not know what to do".to_owned())),
            }
        };
        let outcome = timeout(TRY_MAX, attempt).await;
        let outcome = outcome.unwrap_or_else(|_| Err(JobError::Later("it took too long".to_owned())));
        let period = own.map(RecurringJob::every).or_else(|| claimed.job().and_then(|job| period(&job)));
        if let Err(error) = self.settle(claimed, period, outcome).await {
            tracing::warn!(%error, kind = claimed.kind, "the outcome of a job is not written and it will be tried again");
        }
    }

    async fn try_job(&self, job: &Job, id: JobId) -> Result<(), JobError> {
        match job {
            Job::SendToken(token) => self.send_token(*token, id).await,
            Job::SendNotice(event) => self.send_notice(*event, id).await,
            Job::Sweep => self.sweep().await,
            #[cfg(feature = "pictures")]
            Job::DeletePicture(file) => self.delete_picture(file).await,
            #[cfg(feature = "pictures")]
            Job::SweepPictures => self.sweep_unreferenced_pictures().await,
            // The sweep of a program with pictures finds the files that are left.
            #[cfg(not(feature = "pictures"))]
            Job::SweepPictures => Ok(()),
            #[cfg(not(feature = "pictures"))]
            Job::DeletePicture(_) => Err(JobError::Later("this program is built without pictures".to_owned())),
        }
    }

    async fn settle(
        &self,
        claimed: &Claimed,
        period: Option<SignedDuration>,
        outcome: Result<(), JobError>,
    ) -> Result<(), DbError> {
        let now = self.clock().now();
        let (kind, attempts) = (claimed.kind.as_str(), claimed.attempts);
        let event_counts = self.event_counts();
        let mut tx = self.db().write().await?;
        let counts = match outcome {
            Ok(()) => {
                match period {
                    Some(period) => store::jobs::repeat(tx.conn(), claimed, now, after(now, period)).await?,
                    None => store::jobs::finish(tx.conn(), claimed).await?,
                }
                &event_counts.jobs_done
            }
            Err(JobError::Later(text)) if period.is_some() || now.duration_since(claimed.created_at) < PATIENCE => {
                tracing::warn!(kind, attempts, error = text, "a job did not work and will be tried again");
                store::jobs::postpone(tx.conn(), claimed, after(now, wait(attempts)), &text).await?;
                &event_counts.jobs_retried
            }
            // No instance that has it has started or completed it for long.
            Err(_) if recurring::is_name(kind) => {
                tracing::info!(kind, "a recurring job that the program no longer has is forgotten");
                store::jobs::finish(tx.conn(), claimed).await?;
                &event_counts.jobs_done
            }
            Err(JobError::Later(text) | JobError::Never(text)) => {
                tracing::error!(kind, attempts, error = text, "a job is given up; `jobs list` shows it");
                store::jobs::give_up(tx.conn(), claimed, &text, now).await?;
                &event_counts.jobs_failed
            }
        };
        tx.commit().await?;
        counts.add(kind);
        Ok(())
    }

    async fn hand_back(&self, jobs: impl Iterator<Item = Claimed>) -> Result<(), DbError> {
        let now = self.clock().now();
        let mut tx = self.db().write().await?;
        for job in jobs {
            store::jobs::hand_back(tx.conn(), &job, now).await?;
        }
        tx.commit().await
    }
}

/// Returns the interval of a periodic job.
fn period(job: &Job) -> Option<SignedDuration> {
    match job {
        Job::Sweep => Some(SWEEP_EVERY),
        Job::SweepPictures => Some(SWEEP_PICTURES_EVERY),
        Job::SendToken(_) | Job::SendNotice(_) | Job::DeletePicture(_) => None,
    }
}

/// Doubles with each failure, plus or minus up to a fifth of jitter, so that jobs that failed together do not retry
/// together.
fn wait(attempts: u32) -> SignedDuration {
    let doubled = FIRST_WAIT.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(WAIT_MAX);
    let chance = i32::from(u16::from_be_bytes(secrets::bytes()) % 401) - 200;
    doubled + doubled * chance / 1_000
}

/// Periodic jobs, also a host's, are scheduled at most a day ahead.
fn horizons(now: Timestamp) -> Horizons {
    Horizons { once: Horizon::new(now, ONCE_AHEAD_MAX), again: Horizon::new(now, SWEEP_PICTURES_EVERY) }
}

fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    later(now, wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound() {
        for (attempts, seconds) in [(1, 2), (2, 4), (5, 32), (20, 300), (u32::MAX, 300)] {
            let (low, high) = (SignedDuration::from_secs(seconds) * 4 / 5, SignedDuration::from_secs(seconds) * 6 / 5);
            let wait = wait(attempts);
            assert!(low <= wait && wait <= high, "{attempts}: {wait:?}");
            assert!(wait <= ONCE_AHEAD_MAX && LEASE <= ONCE_AHEAD_MAX, "a job that waits is not taken early");
        }
    }
}
