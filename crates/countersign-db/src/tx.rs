//! A write transaction, from its first statement to its end, which it reaches whatever becomes of its caller.
//!
//! A request can be given up at every `await`. The statements that begin and end a transaction are our own here, because
//! the driver counts transactions beside the database's own books, and the two part when a statement that begins or ends
//! one is given up half-way or fails. Here a transaction that is dropped is rolled back by a task of its own, a commit is
//! a task of its own from the start, and a connection goes back to its pool only after the database has confirmed the end.

use std::any::Any;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Sqlite};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::Instrument as _;

use crate::pool_state::Queues;
use crate::{Conn, DbError, PgConn, Pooler, on_db};

/// What a commit may take on PostgreSQL, which ends a statement itself before that. SQLite is not hurried: its disk is.
const COMMIT_TIME_MAX: Duration = Duration::from_secs(35);

/// A write transaction; rolled back when dropped without [`Tx::commit`].
pub struct Tx {
    /// `None` once the end has been left to a task.
    held: Option<Held>,
    /// See [`Tx::keep`].
    kept: Vec<Box<dyn Any + Send>>,
    /// How long a rollback may take before the connection is thrown away instead.
    wait_max: Duration,
    queues: Queues,
    /// Of the trace, where there is one; it ends with the transaction.
    span: tracing::Span,
}

/// A pool's connection, in a transaction.
pub(crate) enum Held {
    /// `BEGIN IMMEDIATE` on the one SQLite writer.
    Sqlite(PoolConnection<Sqlite>),
    /// `BEGIN` (read committed) on PostgreSQL.
    Postgres(PoolConnection<Postgres>, Pooler),
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

impl Tx {
    /// Begins it. When this is given up, the transaction is rolled back like any other.
    pub(crate) async fn begin(
        held: Held,
        wait_max: Duration,
        queues: Queues,
        span: tracing::Span,
    ) -> Result<Self, DbError> {
        let begin = held.begin();
        let mut tx = Self { held: Some(held), kept: Vec::new(), wait_max, queues, span };
        tx.execute(begin).await.inspect_err(|error| tx.queues.note_unwritten(error))?;
        Ok(tx)
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), DbError> {
        Ok(on_db!(self.conn(), c => sqlx::raw_sql(statement).execute(c).await.map(drop))?)
    }

    /// The connection, for one call of a store function.
    ///
    /// # Panics
    /// Never: the connection is there until the transaction is committed, rolled back or dropped.
    pub fn conn(&mut self) -> Conn<'_> {
        match self.held.as_mut().expect("it has not ended") {
            Held::Sqlite(conn) => Conn::Sqlite(conn),
            Held::Postgres(conn, pooler) => Conn::Postgres(PgConn::new(conn, *pooler)),
        }
    }

    /// Keeps a value until the transaction has ended, one way or the other, also when its caller has been dropped
    /// meanwhile: what must not be let go of before the database has decided.
    pub fn keep(&mut self, value: impl Any + Send) {
        self.kept.push(Box::new(value));
    }

    /// Makes everything written in this transaction durable and visible. Once this has been polled, the commit takes
    /// place even if nobody waits for it any more.
    pub async fn commit(self) -> Result<(), DbError> {
        self.end(End::Commit).await
    }

    /// Undoes everything written in this transaction.
    pub async fn roll_back(self) -> Result<(), DbError> {
        self.end(End::RollBack).await
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "what ends a transaction has no owner but its connection, of which few are"
    )]
    async fn end(mut self, end: End) -> Result<(), DbError> {
        let Some(ending) = self.ending(end) else { return Ok(()) };
        // The task goes on when its handle is dropped.
        tokio::spawn(ending).await.unwrap_or(Err(DbError::Unavailable(sqlx::Error::WorkerCrashed)))
    }

    /// What is left to do, free of the caller; `None` when it has been left to somebody already.
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
    fn begin(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_, pooler) => pooler.begin_text(),
        }
    }

    /// Ends the transaction. A connection on which that fails may still be in it, and is replaced: SQLite, for one, ends a
    /// transaction itself when the disk is full, and then nothing is left to roll back.
    async fn end(self, end: End, time_max: Duration, queues: &Queues) -> Result<(), DbError> {
        let ended = match self {
            Self::Sqlite(mut conn) => {
                let ended = sqlx::raw_sql(end.statement()).execute(&mut *conn).await.map(drop);
                if ended.is_err() {
                    queues.note_discarded();
                    // Its place is free when the file is closed: two writers would wait for each other.
                    if let Err(error) = conn.close().await {
                        tracing::debug!(%error, "a connection was not closed in order");
                    }
                }
                ended
            }
            Self::Postgres(mut conn, _) => {
                let ended = timeout(time_max, sqlx::raw_sql(end.statement()).execute(&mut *conn)).await;
                let ended = ended.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(drop);
                if ended.is_err() {
                    queues.note_discarded();
                    // To say goodbye could take as long again; the server rolls back what is left without an end.
                    drop(conn.detach());
                }
                ended
            }
        };
        let ended = ended.map_err(DbError::from);
        match &ended {
            Ok(()) if end == End::Commit => queues.note_written(),
            Ok(()) => {}
            Err(error) => queues.note_unwritten(error),
        }
        ended
    }
}
