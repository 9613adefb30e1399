//! Write transactions, which always end properly, even if the caller is cancelled.
//!
//! A request can be cancelled at every `await`. We issue the statements that begin and end a transaction ourselves,
//! because the driver keeps its own transaction count. That count diverges from the database's state if such a
//! statement fails or is cancelled half-way. Here, a separate task rolls back a dropped transaction, and every commit
//! runs in its own task. A connection returns to its pool only after the database has confirmed the end.

use std::any::Any;
use std::time::Duration;

use tokio::runtime::Handle;
use tracing::Instrument as _;

use crate::pool_state::Queues;
#[cfg(feature = "postgres")]
use crate::postgres::HeldPostgres;
#[cfg(feature = "sqlite")]
use crate::sqlite::HeldSqlite;
use crate::{Conn, DbError, on_db};

/// Time limit for a commit on PostgreSQL, which aborts a statement itself before that.
const COMMIT_TIME_MAX: Duration = Duration::from_secs(35);

/// A write transaction, rolled back when dropped without [`Tx::commit`].
pub struct Tx {
    /// `None` once a task ends the transaction.
    held: Option<Held>,
    /// See [`Tx::keep`].
    kept: Vec<Box<dyn Any + Send>>,
    /// Time limit for a rollback; after it, the connection is discarded.
    wait_max: Duration,
    queues: Queues,
    /// The trace span, if tracing is on; it ends with the transaction.
    span: tracing::Span,
}

/// A pooled connection in a transaction.
pub(crate) enum Held {
    /// `BEGIN IMMEDIATE` on the one SQLite writer.
    #[cfg(feature = "sqlite")]
    Sqlite(HeldSqlite),
    /// `BEGIN` (read committed) on PostgreSQL.
    #[cfg(feature = "postgres")]
    Postgres(HeldPostgres),
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

impl Tx {
    /// Begins the transaction. If the caller is cancelled, the transaction is rolled back like any other.
    pub(crate) async fn begin(
        held: Held,
        wait_max: Duration,
        queues: Queues,
        span: tracing::Span,
    ) -> Result<Self, DbError> {
        let begin = by_driver!(Held, &held, held => held.begin_text());
        let mut tx = Self { held: Some(held), kept: Vec::new(), wait_max, queues, span };
        tx.execute(begin).await.inspect_err(|error| tx.queues.note_unwritten(error))?;
        Ok(tx)
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), DbError> {
        Ok(on_db!(self.conn(), c => sqlx::raw_sql(statement).execute(c).await.map(drop))?)
    }

    /// Returns the connection, for one call of a store function.
    ///
    /// # Panics
    /// Never: the connection exists until the transaction is committed, rolled back or dropped.
    pub fn conn(&mut self) -> Conn<'_> {
        by_driver!(Held, self.held.as_mut().expect("it has not ended"), held => held.conn())
    }

    /// Keeps a value until the transaction has ended, even if the caller is dropped before. For guards that must not be
    /// released before the outcome is known.
    pub fn keep(&mut self, value: impl Any + Send) {
        self.kept.push(Box::new(value));
    }

    /// Makes everything written in this transaction durable and visible. Once polled, the commit completes even if the
    /// caller is cancelled.
    pub async fn commit(self) -> Result<(), DbError> {
        self.end(End::Commit).await
    }

    /// Rolls back everything written in this transaction.
    pub async fn roll_back(self) -> Result<(), DbError> {
        self.end(End::RollBack).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a task that ends a transaction is owned by its connection, and connections are bounded"
    )]
    async fn end(mut self, end: End) -> Result<(), DbError> {
        let Some(ending) = self.ending(end) else { return Ok(()) };
        // The task continues if its handle is dropped.
        tokio::spawn(ending).await.unwrap_or(Err(DbError::Unavailable(sqlx::Error::WorkerCrashed)))
    }

    /// Returns the remaining work, independent of the caller; `None` if a task already does it.
    fn ending(&mut self, end: End) -> Option<impl Future<Output = Result<(), DbError>> + Send + 'static> {
        let held = self.held.take()?;
        let kept = std::mem::take(&mut self.kept);
        let queues = self.queues.clone();
        let time_max = if end == End::Commit { COMMIT_TIME_MAX } else { self.wait_max };
        let span = std::mem::replace(&mut self.span, tracing::Span::none());
        let ended = async move {
            let ended = held.end(end, time_max, &queues).await;
            drop(kept);
            ended
        };
        Some(ended.instrument(span))
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        let runtime = Handle::try_current();
        if let Some(rolling_back) = self.ending(End::RollBack)
            && let Ok(runtime) = runtime
        {
            drop(runtime.spawn(rolling_back));
        }
    }
}

/// How a transaction ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Commit,
    RollBack,
}

impl End {
    fn statement(self) -> &'static str {
        match self {
            Self::Commit => "COMMIT",
            Self::RollBack => "ROLLBACK",
        }
    }
}

impl Held {
    /// Ends the transaction. If that fails, the connection may still be in the transaction, and is replaced.
    async fn end(self, end: End, time_max: Duration, queues: &Queues) -> Result<(), DbError> {
        let ended = by_driver!(Held, self, held => held.end(end.statement(), time_max).await);
        if ended.is_err() {
            queues.note_discarded();
        }
        let ended = ended.map_err(DbError::from);
        match &ended {
            Ok(()) if end == End::Commit => queues.note_written(),
            Ok(()) => {}
            Err(error) => queues.note_unwritten(error),
        }
        ended
    }
}
