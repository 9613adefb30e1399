//! The borrowed connection, of either driver, that statements run on.

use sqlx::pool::PoolConnection;
use sqlx::{Sqlite, SqliteConnection};

use crate::{DatabaseKind, PgConn, PooledPgConn};

/// A borrowed connection of one of the two drivers. Every function of a `store/` takes it as its first parameter.
#[derive(Debug)]
pub enum Conn<'c> {
    /// An SQLite connection.
    Sqlite(&'c mut SqliteConnection),
    /// A PostgreSQL connection.
    Postgres(PgConn<'c>),
}

impl Conn<'_> {
    /// Reborrows the connection, for functions that make several calls.
    pub fn reborrow(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(conn) => Conn::Sqlite(conn),
            Self::Postgres(conn) => Conn::Postgres(conn.reborrow()),
        }
    }

    /// Returns which database the connection belongs to.
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

/// A connection for reading. Every statement sees what was committed when the statement began. Dropping it returns it
/// to its pool.
#[derive(Debug)]
pub enum ReadConn {
    /// From the pool of SQLite readers.
    Sqlite(PoolConnection<Sqlite>),
    /// From the PostgreSQL pool.
    Postgres(PooledPgConn),
}

impl ReadConn {
    /// Returns the connection, for one call of a store function.
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(conn) => Conn::Sqlite(conn),
            Self::Postgres(conn) => Conn::Postgres(conn.conn()),
        }
    }
}
