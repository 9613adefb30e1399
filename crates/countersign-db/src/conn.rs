//! Decides what a statement runs on: a borrowed connection of either driver.

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres, Sqlite, SqliteConnection, Transaction};

use crate::{DatabaseKind, DbError};

/// A borrowed connection of one of the two drivers; what every function of a `store/` takes first.
#[derive(Debug)]
pub enum Conn<'c> {
    /// An SQLite connection.
    Sqlite(&'c mut SqliteConnection),
    /// A PostgreSQL connection.
    Postgres(&'c mut PgConnection),
}

impl Conn<'_> {
    /// The same connection for a shorter while, where one function makes several calls.
    pub fn reborrow(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(conn) => Conn::Sqlite(conn),
            Self::Postgres(conn) => Conn::Postgres(conn),
        }
    }

    /// Which database this connection speaks to.
    pub fn kind(&self) -> DatabaseKind {
        match self {
            Self::Sqlite(_) => DatabaseKind::Sqlite,
            Self::Postgres(_) => DatabaseKind::Postgres,
        }
    }
}

/// Expands one `sqlx` expression once per driver, so that type inference picks the driver in each arm.
#[macro_export]
macro_rules! on_db {
    ($conn:expr, $c:ident => $query:expr) => {
        match $conn {
            $crate::Conn::Sqlite($c) => $query,
            $crate::Conn::Postgres($c) => $query,
        }
    };
}

/// A connection for reading outside a transaction; it goes back to its pool when dropped.
#[derive(Debug)]
pub enum ReadConn {
    /// From the pool of SQLite readers.
    Sqlite(PoolConnection<Sqlite>),
    /// From the PostgreSQL pool.
    Postgres(PoolConnection<Postgres>),
}

impl ReadConn {
    /// The connection, for one call of a store function.
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(conn) => Conn::Sqlite(conn),
            Self::Postgres(conn) => Conn::Postgres(conn),
        }
    }
}

/// A write transaction; rolled back when dropped without [`Tx::commit`].
#[derive(Debug)]
pub struct Tx {
    pub(crate) begun: Begun,
    /// Of the trace, where there is one; it ends when this is dropped.
    pub(crate) _span: tracing::Span,
}

#[derive(Debug)]
pub(crate) enum Begun {
    /// `BEGIN IMMEDIATE` on the one SQLite writer.
    Sqlite(Transaction<'static, Sqlite>),
    /// `BEGIN` (read committed) on PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    /// The connection, for one call of a store function.
    pub fn conn(&mut self) -> Conn<'_> {
        match &mut self.begun {
            Begun::Sqlite(tx) => Conn::Sqlite(tx),
            Begun::Postgres(tx) => Conn::Postgres(tx),
        }
    }

    /// Makes everything written in this transaction durable and visible.
    pub async fn commit(self) -> Result<(), DbError> {
        match self.begun {
            Begun::Sqlite(tx) => tx.commit().await?,
            Begun::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }

    /// Undoes everything written in this transaction.
    pub async fn roll_back(self) -> Result<(), DbError> {
        match self.begun {
            Begun::Sqlite(tx) => tx.rollback().await?,
            Begun::Postgres(tx) => tx.rollback().await?,
        }
        Ok(())
    }
}
