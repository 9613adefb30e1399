//! Decides what can be told of the pools of connections: how many there are, and how many wait for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Db;
use crate::db::Pools;

/// How a pool of connections is at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// `readers` and `writer` of SQLite, `shared` of PostgreSQL.
    pub pool: &'static str,
    /// Connections that are open.
    pub open: u32,
    /// Of those, how many nobody uses.
    pub idle: u32,
    /// Connections at the most.
    pub connections_max: u32,
    /// Callers who wait for one.
    pub waiting: u64,
    /// How often a caller had waited for too long.
    pub timed_out: u64,
}

/// Those who wait for a connection, for reading and for writing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queues(Arc<[Queue; 2]>);

#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: AtomicU64,
    timed_out: AtomicU64,
}

impl Queues {
    pub(crate) fn reading(&self) -> &Queue {
        &self.0[0]
    }

    pub(crate) fn writing(&self) -> &Queue {
        &self.0[1]
    }
}

impl Queue {
    /// Somebody begins to wait.
    pub(crate) fn enter(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waiting(self)
    }
}

/// Somebody who waits, until this is dropped.
pub(crate) struct Waiting<'q>(&'q Queue);

impl Waiting<'_> {
    /// The wait is over, one way or the other.
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
    /// How its pools are.
    pub fn pool_states(&self) -> Vec<PoolState> {
        let (reading, writing) = (self.1.reading(), self.1.writing());
        match &self.0 {
            Pools::Sqlite { writer, readers, .. } => {
                vec![state("readers", readers, &[reading]), state("writer", writer, &[writing])]
            }
            Pools::Postgres(pool) => vec![state("shared", pool, &[reading, writing])],
        }
    }
}

fn state<DB: sqlx::Database>(name: &'static str, pool: &sqlx::Pool<DB>, queues: &[&Queue]) -> PoolState {
    let sum = |count: fn(&Queue) -> &AtomicU64| queues.iter().map(|queue| count(queue).load(Ordering::Relaxed)).sum();
    PoolState {
        pool: name,
        open: pool.size(),
        idle: u32::try_from(pool.num_idle()).unwrap_or(u32::MAX),
        connections_max: pool.options().get_max_connections(),
        waiting: sum(|queue| &queue.waiting),
        timed_out: sum(|queue| &queue.timed_out),
    }
}
