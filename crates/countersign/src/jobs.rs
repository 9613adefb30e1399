//! When work that was promised is done, and how often it is tried: in every instance, by the first to take it.
//!
//! A job is written in the transaction that causes it. Whoever takes it moves its time ahead by [`LEASE`]; if they die, it is
//! due again when that time comes. So each is done at least once, and twice only by somebody who died after the work and
//! before saying so, or was stopped for longer than the lease, or has a clock that is minutes wrong: a time that lies further ahead
//! than any wait is that of such a clock, and counts as now.

mod mail;
mod pictures;
mod recipes;
mod sweep;

pub use pictures::{PICTURE_AGE_MIN, SweepPicturesError, SweptPictures};

use std::collections::HashMap;
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

/// Jobs of one instance at the same time.
const AT_ONCE: usize = 8;
/// What others have promised, and what is due again, is looked for so often; what this instance promised, at once.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// One try.
const TRY_MAX: Duration = Duration::from_mins(1);
/// How long a job is somebody's: longer than a try takes with all that is written after it.
const LEASE: SignedDuration = SignedDuration::from_mins(2);
/// The wait after the first failure; it doubles with each.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(2);
const WAIT_MAX: SignedDuration = SignedDuration::from_mins(5);
/// The furthest that a job lies ahead which is done once: the longest wait with what chance adds to it. A lease is shorter.
const ONCE_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(6);
/// What has not worked for so long is given up.
const PATIENCE: SignedDuration = SignedDuration::from_hours(48);
/// When serving stops, tries under way may take so long.
const STOP_MAX: Duration = Duration::from_secs(5);
/// How often what has run out is taken away, by one of the instances.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_mins(10);
/// How often files of pictures that nobody has are looked for, by one of the instances.
const SWEEP_PICTURES_EVERY: SignedDuration = SignedDuration::from_hours(24);
/// Jobs that a list shows.
const LIST_MAX: i64 = 1_000;

/// Why a job is not done.
enum JobError {
    /// It may work later.
    Later(String),
    /// It will never work.
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
    /// Does what was promised, until `stop` comes; then what is under way may be finished, and the rest is handed back. To
    /// be run by every instance, once.
    pub async fn run_jobs(&self, stop: impl Future<Output = ()>) {
        let _at_work = self.workers().arrive();
        let mut stop = std::pin::pin!(stop);
        let mut tries: JoinSet<()> = JoinSet::new();
        let mut taken: HashMap<Id, Claimed> = HashMap::new();
        if let Err(error) = self.promise_sweep().await {
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
                        let accounts = self.clone();
                        let id = tries.spawn({
                            let job = job.clone();
                            let span = info_span!(target: TRACE_TARGET, parent: None, "job", kind = job.kind);
                            async move { accounts.do_job(&job).await }.instrument(span)
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

    /// Does what is due, and what that promises, until nothing is left; how many jobs that were. For tests and commands.
    pub async fn run_due_jobs(&self) -> Result<usize, DbError> {
        let mut done = 0;
        loop {
            let claimed = self.take_jobs(AT_ONCE).await?;
            if claimed.is_empty() {
                return Ok(done);
            }
            for job in claimed {
                self.do_job(&job).await;
                done += 1;
            }
        }
    }

    /// What waits and what was given up, the oldest first; at most 1,000.
    pub async fn list_jobs(&self) -> Result<Vec<QueuedJob>, DbError> {
        store::jobs::list(self.db().read().await?.conn(), LIST_MAX).await
    }

    /// How much is to be done, in the database that all instances share.
    pub async fn job_backlog(&self) -> Result<JobBacklog, DbError> {
        store::jobs::count_backlog(self.db().read().await?.conn(), horizons(self.clock().now())).await
    }

    /// Tries a job again at once, or all that were given up; how many.
    pub async fn retry_jobs(&self, id: Option<JobId>) -> Result<u64, DbError> {
        let mut tx = self.db().write().await?;
        let retried = store::jobs::retry(tx.conn(), id, self.clock().now()).await?;
        tx.commit().await?;
        self.jobs_are_due();
        Ok(retried)
    }

    /// All instances promise the same ones.
    async fn promise_sweep(&self) -> Result<(), DbError> {
        let now = self.clock().now();
        let mut tx = self.db().write().await?;
        store::jobs::insert(tx.conn(), JobId::from(Uuid::from_u128(1)), &Job::Sweep, now).await?;
        store::jobs::insert(tx.conn(), JobId::from(Uuid::from_u128(2)), &Job::SweepPictures, now).await?;
        tx.commit().await
    }

    /// Looks without writing first: most of the time there is nothing.
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

    async fn do_job(&self, claimed: &Claimed) {
        let outcome = match claimed.job() {
            Some(job) => match timeout(TRY_MAX, self.try_job(&job, claimed.id)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(JobError::Later("it took too long".to_owned())),
            },
            None => Err(JobError::Later("this version does not know what to do".to_owned())),
        };
        if let Err(error) = self.settle(claimed, outcome).await {
            tracing::warn!(%error, kind = claimed.kind, "the outcome of a job is not written and it will be tried again");
        }
    }

    async fn try_job(&self, job: &Job, id: JobId) -> Result<(), JobError> {
        match job {
            Job::SendToken(token) => self.send_token(*token, id).await,
            Job::SendNotice(event) => self.send_notice(*event, id).await,
            Job::DeletePicture(file) => self.delete_picture(file).await,
            Job::Sweep => self.sweep().await,
            Job::SweepPictures => self.sweep_nobodys_pictures().await,
        }
    }

    async fn settle(&self, claimed: &Claimed, outcome: Result<(), JobError>) -> Result<(), DbError> {
        let now = self.clock().now();
        let (kind, attempts) = (claimed.kind.as_str(), claimed.attempts);
        let period = claimed.job().and_then(|job| period(&job));
        let tally = self.tally();
        let mut tx = self.db().write().await?;
        let counts = match outcome {
            Ok(()) => {
                match period {
                    Some(period) => store::jobs::repeat(tx.conn(), claimed, after(now, period)).await?,
                    None => store::jobs::finish(tx.conn(), claimed).await?,
                }
                &tally.jobs_done
            }
            Err(JobError::Later(text)) if period.is_some() || now.duration_since(claimed.created_at) < PATIENCE => {
                tracing::warn!(kind, attempts, error = text, "a job did not work and will be tried again");
                store::jobs::postpone(tx.conn(), claimed, after(now, wait(attempts)), &text).await?;
                &tally.jobs_retried
            }
            Err(JobError::Later(text) | JobError::Never(text)) => {
                tracing::error!(kind, attempts, error = text, "a job is given up; `jobs list` shows it");
                store::jobs::give_up(tx.conn(), claimed, &text, now).await?;
                &tally.jobs_failed
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

/// How often a job comes again by itself.
fn period(job: &Job) -> Option<SignedDuration> {
    match job {
        Job::Sweep => Some(SWEEP_EVERY),
        Job::SweepPictures => Some(SWEEP_PICTURES_EVERY),
        Job::SendToken(_) | Job::SendNotice(_) | Job::DeletePicture(_) => None,
    }
}

/// Doubled with each failure, and up to a fifth longer or shorter by chance, so that what failed together does not come
/// again together.
fn wait(attempts: u32) -> SignedDuration {
    let doubled = FIRST_WAIT.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(WAIT_MAX);
    let chance = i32::from(u16::from_be_bytes(secrets::bytes()) % 401) - 200;
    doubled + doubled * chance / 1_000
}

/// What comes again comes again within a day.
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
