//! PostgreSQL connections: [`PooledPgConn`] by the pool, and [`PgConn`] borrowed for a statement. Both know whether state may
//! stay on the connection.

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use sqlx::error::BoxDynError;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Either, Execute, Executor, PgConnection, Postgres, SqlStr};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::Pooler;

/// A borrowed PostgreSQL connection. Behind a pooler in transaction mode, its statements stay unnamed: a name belongs
/// to one server connection, and the next transaction may use another, where another client may have used the same
/// name.
#[derive(Debug)]
pub struct PgConn<'c> {
    conn: &'c mut PgConnection,
    pooler: Pooler,
}

impl<'c> PgConn<'c> {
    pub(crate) fn new(conn: &'c mut PgConnection, pooler: Pooler) -> Self {
        Self { conn, pooler }
    }

    /// Reborrows the connection.
    pub fn reborrow(&mut self) -> PgConn<'_> {
        PgConn { conn: self.conn, pooler: self.pooler }
    }

    fn sent<E>(&self, statement: E) -> Sent<E> {
        Sent { statement, may_be_kept: self.pooler == Pooler::Session }
    }
}

impl<'c> Executor<'c> for PgConn<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let sent = self.sent(query);
        self.conn.fetch_many(sent)
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let sent = self.sent(query);
        self.conn.fetch_optional(sent)
    }

    /// Always names the statement, because a caller that prepares explicitly reuses it.
    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        self.conn.prepare_with(sql, parameters)
    }
}

/// A statement to be sent to the server.
struct Sent<E> {
    statement: E,
    may_be_kept: bool,
}

impl<'q, E: Execute<'q, Postgres>> Execute<'q, Postgres> for Sent<E> {
    fn sql(self) -> SqlStr {
        self.statement.sql()
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.statement.statement()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        self.statement.take_arguments()
    }

    fn persistent(&self) -> bool {
        self.may_be_kept && self.statement.persistent()
    }
}

/// Time limit for ending a read-only transaction; after it, the connection is closed.
const END_TIME_MAX: Duration = Duration::from_secs(5);

/// A connection lent by the pool. Dropping it ends any transaction and returns the connection.
#[derive(Debug)]
pub struct PooledPgConn {
    /// `Some` until the drop.
    conn: Option<PoolConnection<Postgres>>,
    pooler: Pooler,
    transaction: Progress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    None,
    Beginning,
    Begun,
}

impl PooledPgConn {
    pub(super) fn new(conn: PoolConnection<Postgres>, pooler: Pooler) -> Self {
        Self { conn: Some(conn), pooler, transaction: Progress::None }
    }

    /// Begins a transaction that ends when this is dropped.
    pub(super) async fn begin(mut self, begin: &'static str) -> Result<Self, sqlx::Error> {
        self.transaction = Progress::Beginning;
        sqlx::raw_sql(begin).execute(self.conn()).await?;
        self.transaction = Progress::Begun;
        Ok(self)
    }

    /// Returns the connection, for one call of a store function.
    pub(crate) fn conn(&mut self) -> PgConn<'_> {
        PgConn::new(self.conn.as_mut().expect("it is there until the drop"), self.pooler)
    }
}

impl Drop for PooledPgConn {
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else { return };
        match self.transaction {
            Progress::None => {}
            // Unknown whether the transaction has begun.
            Progress::Beginning => conn.close_on_drop(),
            Progress::Begun => match Handle::try_current() {
                Ok(runtime) => drop(runtime.spawn(end(conn))),
                Err(_) => conn.close_on_drop(),
            },
        }
    }
}

/// Ends a connection's transaction and returns the connection to the pool. If that fails, closes it.
async fn end(mut conn: PoolConnection<Postgres>) {
    let ended = timeout(END_TIME_MAX, sqlx::raw_sql("ROLLBACK").execute(&mut *conn)).await;
    if !matches!(ended, Ok(Ok(_))) {
        conn.close_on_drop();
    }
}
