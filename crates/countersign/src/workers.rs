//! The job workers in this process, so that their absence is noticed.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use jiff::{SignedDuration, Timestamp};

/// How long a job may wait for a worker before a warning, and the minimum interval between warnings.
const UNATTENDED_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// The workers of this process.
#[derive(Default)]
pub(crate) struct Workers {
    present: AtomicUsize,
    /// When the queue was last checked for waiting jobs, in microseconds since 1970.
    looked_at: AtomicI64,
}

/// A worker, until it is dropped.
pub(crate) struct WorkerGuard<'w>(&'w Workers);

impl Drop for WorkerGuard<'_> {
    fn drop(&mut self) {
        self.0.present.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Workers {
    pub(crate) fn arrive(&self) -> WorkerGuard<'_> {
        self.present.fetch_add(1, Ordering::Relaxed);
        WorkerGuard(self)
    }

    /// If there is no worker, returns the time since which due jobs have waited too long, at most once a minute. A
    /// clock that was set back counts as a minute.
    pub(crate) fn unattended_since(&self, now: Timestamp) -> Option<Timestamp> {
        if self.present.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let long_ago = now.saturating_sub(UNATTENDED_AFTER).unwrap_or(Timestamp::MIN);
        let (now, looked_at) = (now.as_microsecond(), self.looked_at.load(Ordering::Relaxed));
        let pause = i64::try_from(UNATTENDED_AFTER.as_micros()).unwrap_or(i64::MAX);
        let is_due = !(0..pause).contains(&now.saturating_sub(looked_at));
        // Of concurrent callers, one checks.
        let looks =
            is_due && self.looked_at.compare_exchange(looked_at, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        looks.then_some(long_ago)
    }
}
