//! Counters of scheduled backups.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use jiff::Timestamp;

/// Counters of this instance since it started.
#[derive(Debug, Default)]
pub(crate) struct BackupCounts {
    made: AtomicU64,
    failed: AtomicU64,
    /// In seconds since 1970; 0 if none is known.
    newest_at: AtomicI64,
}

impl BackupCounts {
    /// Records a backup made by this instance, with its start time.
    pub(crate) fn made(&self, at: Timestamp) {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.found(at);
    }

    /// Records the start time of the newest existing backup, made by any instance.
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
