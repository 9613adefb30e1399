//! Decides what is counted of the backups that the server makes by itself.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;

/// Counts of this instance since it began.
#[derive(Debug, Default)]
pub(crate) struct BackupCounts {
    made: AtomicU64,
    failed: AtomicU64,
    /// In seconds since 1970; 0 when none is known.
    newest_at: AtomicI64,
}

impl BackupCounts {
    /// This instance has made one that was begun then.
    pub(crate) fn made(&self, at: Timestamp) {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.found(at);
    }

    /// The newest that is there was begun then, by whichever instance.
    pub(crate) fn found(&self, at: Timestamp) {
        self.newest_at.store(at.as_second(), Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn by_outcome(&self) -> [(&'static str, u64); 2] {
        [("succeeded", self.made.load(Ordering::Relaxed)), ("failed", self.failed.load(Ordering::Relaxed))]
    }

    pub(super) fn newest_at(&self) -> Option<i64> {
        Some(self.newest_at.load(Ordering::Relaxed)).filter(|at| *at != 0)
    }
}
