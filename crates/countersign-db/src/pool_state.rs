//! Pool statistics: open connections, waiting callers, and whether writes succeed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::db::Pools;
use crate::{Db, DbError};

/// The current state of a connection pool.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolState {
    /// `readers` or `writer` with SQLite, `shared` with PostgreSQL.
    pub pool: &'static str,
    /// Number of open connections.
    pub open: u32,
    /// Number of open connections not in use.
    pub idle: u32,
    /// Maximum number of connections.
    pub connections_max: u32,
    /// Number of callers waiting for a connection.
    pub waiting: u64,
    /// Total number of waits that timed out.
    pub timed_out: u64,
    /// Total number of connections discarded because the end of a transaction was not confirmed.
    pub discarded: u64,
}

/// Counters of waiting readers and writers, and the outcome of writes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queues(Arc<Records>);

#[derive(Debug, Default)]
struct Records {
    reading: Queue,
    writing: Queue,
    discarded: AtomicU64,
    /// When writes began to fail; `None` while they succeed.
    failing_since: Mutex<Option<Instant>>,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: AtomicU64,
    timed_out: AtomicU64,
}

impl Queues {
    pub(crate) fn reading(&self) -> &Queue {
        &self.0.reading
    }

    pub(crate) fn writing(&self) -> &Queue {
        &self.0.writing
    }

    /// Records that a transaction was committed.
    pub(crate) fn note_written(&self) {
        *self.failing_since() = None;
    }

    /// Records that a transaction could not begin or end because the database is unavailable.
    pub(crate) fn note_unwritten(&self, error: &DbError) {
        if matches!(error, DbError::Unavailable(_)) {
            self.failing_since().get_or_insert_with(Instant::now);
        }
    }

    pub(crate) fn discarded(&self) -> u64 {
        self.0.discarded.load(Ordering::Relaxed)
    }

    fn failing_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.failing_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note_discarded(&self) {
        self.0.discarded.fetch_add(1, Ordering::Relaxed);
    }
}

impl Queue {
    /// Counts a caller that begins to wait.
    pub(crate) fn enter(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }
}

/// A waiting caller, counted until this is dropped.
pub(crate) struct Waiting<'q>(&'q Queue);

impl Waiting<'_> {
    /// Ends the wait, and counts a timeout.
    pub(crate) fn end<T>(self, acquired: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if matches!(acquired, Err(sqlx::Error::PoolTimedOut)) {
            self.0.timed_out.fetch_add(1, Ordering::Relaxed);
        }
        acquired
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Db {
    /// Returns the state of each pool.
    pub fn pool_states(&self) -> Vec<PoolState> {
        by_driver!(Pools, &self.0, pools => pools.states(&self.1))
    }

    /// Returns how long writes have failed, by the last outcome of this handle's own transactions; `None` if the last
    /// one was committed or there was none.
    pub fn writing_fails_for(&self) -> Option<Duration> {
        self.1.failing_since().map(|since| since.elapsed())
    }
}

pub(crate) fn state<DB: sqlx::Database>(
    name: &'static str,
    pool: &sqlx::Pool<DB>,
    queues: &[&Queue],
    discarded: u64,
) -> PoolState {
    let sum = |count: fn(&Queue) -> &AtomicU64| queues.iter().map(|queue| count(queue).load(Ordering::Relaxed)).sum();
    PoolState {
        pool: name,
        open: pool.size(),
        idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX),
        connections_max: pool.options().get_max_connections(),
        waiting: sum(|queue| &queue.waiting),
        timed_out: sum(|queue| &queue.timed_out),
        discarded,
    }
}
