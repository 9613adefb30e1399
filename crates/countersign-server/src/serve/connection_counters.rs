//! Counters of connections.

use std::sync::atomic::{AtomicU64, Ordering};

/// The connection counters.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounters {
    room_for: AtomicU64,
    accepted: AtomicU64,
    left: AtomicU64,
    evicted: AtomicU64,
}

/// The counters at one moment.
pub(crate) struct Present {
    pub(crate) room_for: u64,
    pub(crate) open: u64,
    pub(crate) accepted: u64,
    pub(crate) evicted: u64,
}

impl ConnectionCounters {
    pub(super) fn has_room_for(&self, connections: u32) {
        self.room_for.store(connections.into(), Ordering::Relaxed);
    }

    pub(super) fn one_came(&self) {
        self.accepted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn one_left(&self) {
        self.left.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn one_is_evicted(&self) {
        self.evicted.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> Present {
        // Read first, so that it never exceeds `accepted`.
        let left = self.left.load(Ordering::Relaxed);
        let accepted = self.accepted.load(Ordering::Relaxed);
        Present {
            room_for: self.room_for.load(Ordering::Relaxed),
            open: accepted.saturating_sub(left),
            accepted,
            evicted: self.evicted.load(Ordering::Relaxed),
        }
    }
}
