//! A host's recurring jobs. They are rows of the same queue, so that one instance at a time runs each of them.

use std::error::Error;
use std::pin::Pin;

use jiff::SignedDuration;

use super::{JobError, SWEEP_PICTURES_EVERY};
use crate::model::JobId;
use crate::secrets;

type Attempt = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send>>;

/// The longest interval: a job that is due later counts as written by a wrong clock.
const EVERY_MAX: SignedDuration = SWEEP_PICTURES_EVERY;

/// A job of the host that runs again and again, for [`Accounts::run_jobs_and`](crate::Accounts::run_jobs_and).
///
/// Each time it is due, the first instance that takes it runs it. It is due when the first instance that has it starts,
/// and then `every` after each success. A failed attempt is retried after two seconds, later after up to five minutes;
/// its error is logged and shown by `jobs list`. Like every job it may run twice if an instance dies or is suspended.
///
/// ```
/// use countersign::jiff::SignedDuration;
/// use countersign::{Accounts, RecurringJob};
///
/// async fn delete_old(accounts: Accounts) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     let tx = accounts.db().write().await?;
///     // …
///     Ok(tx.commit().await?)
/// }
///
/// # fn job(accounts: &Accounts) -> RecurringJob {
/// RecurringJob::new("notes.delete_old", SignedDuration::from_hours(24), accounts.clone(), delete_old)
/// # }
/// ```
pub struct RecurringJob {
    name: &'static str,
    every: SignedDuration,
    attempt: Box<dyn Fn() -> Attempt + Send + Sync>,
}

impl RecurringJob {
    /// Creates a job. Each attempt calls `run` with a clone of `state`. An attempt that takes longer than a minute is
    /// dropped and counts as failed.
    ///
    /// The name identifies the job in the database and the log, and is its `kind` in metrics: the host's name, a dot,
    /// and the job's own name, in small letters, digits and `_`. A job that a new version of the host no longer has is
    /// removed from the queue two days after it last succeeded.
    ///
    /// # Panics
    /// If the name has another form, or if `every` is shorter than a second or longer than a day.
    pub fn new<S, F, R>(name: &'static str, every: SignedDuration, state: S, run: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        F: Fn(S) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        assert!(is_name(name), "{name} is not the name of a job: expected host.job");
        let is_interval = (SignedDuration::from_secs(1)..=EVERY_MAX).contains(&every);
        assert!(is_interval, "{name} runs every {every}: expected a second to a day");
        Self { name, every, attempt: Box::new(move || Box::pin(run(state.clone()))) }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn every(&self) -> SignedDuration {
        self.every
    }

    /// Returns the id of its row, which is the same for all instances.
    pub(super) fn id(&self) -> JobId {
        JobId::from(secrets::uuid_of_name(self.name))
    }

    pub(super) async fn attempt(&self) -> Result<(), JobError> {
        (self.attempt)().await.map_err(|error| JobError::Later(error.to_string()))
    }
}

/// Whether a kind of jobs is a host's. Those of the library have no dot.
pub(super) fn is_name(kind: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    kind.split_once('.').is_some_and(|(host, job)| is_word(host) && is_word(job))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_the_host_and_that_of_the_job() {
        assert!(is_name("notes.delete_old") && is_name("app2.x"));
        for name in ["", "sweep", ".", "notes.", ".sweep", "notes.a.b", "Notes.sweep", "notes.a b", "notes.é"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
