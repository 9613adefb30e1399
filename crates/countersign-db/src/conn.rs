//! The borrowed connection, of either driver, that statements run on.

use crate::DatabaseKind;
#[cfg(feature = "postgres")]
use crate::postgres::{PgConn, PooledPgConn};

/// A borrowed connection of one of the two drivers. Every function of a `store/` takes it as its first parameter.
#[derive(Debug)]
pub enum Conn<'c> {
    /// An SQLite connection.
    #[cfg(feature = "sqlite")]
    Sqlite(&'c mut sqlx::SqliteConnection),
    /// A PostgreSQL connection.
    #[cfg(feature = "postgres")]
    Postgres(PgConn<'c>),
}

impl Conn<'_> {
    /// Reborrows the connection, for functions that make several calls.
    pub fn reborrow(&mut self) -> Conn<'_> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(conn) => Conn::Sqlite(conn),
            #[cfg(feature = "postgres")]
            Self::Postgres(conn) => Conn::Postgres(conn.reborrow()),
        }
    }

    /// Returns which database the connection belongs to.
    pub fn kind(&self) -> DatabaseKind {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => DatabaseKind::Sqlite,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => DatabaseKind::Postgres,
        }
    }
}

/// Expands one `sqlx` expression once per driver, so that type inference picks the driver in each arm.
#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[macro_export]
macro_rules! on_db {
    ($conn:expr, $c:ident => $query:expr) => {
        match $conn {
            $crate::Conn::Sqlite($c) => $query,
            $crate::Conn::Postgres($c) => $query,
        }
    };
}

/// Runs one `sqlx` expression on SQLite, the only driver of this build.
#[cfg(all(feature = "sqlite", not(feature = "postgres")))]
#[macro_export]
macro_rules! on_db {
    ($conn:expr, $c:ident => $query:expr) => {
        match $conn {
            $crate::Conn::Sqlite($c) => $query,
        }
    };
}

/// Runs one `sqlx` expression on PostgreSQL, the only driver of this build.
#[cfg(all(feature = "postgres", not(feature = "sqlite")))]
#[macro_export]
macro_rules! on_db {
    ($conn:expr, $c:ident => $query:expr) => {
        match $conn {
            $crate::Conn::Postgres($c) => $query,
        }
    };
}

/// A connection for reading. Every statement sees what was committed when the statement began. Dropping it returns it
/// to its pool.
#[derive(Debug)]
pub enum ReadConn {
    /// From the pool of SQLite readers.
    #[cfg(feature = "sqlite")]
    Sqlite(sqlx::pool::PoolConnection<sqlx::Sqlite>),
    /// From the PostgreSQL pool.
    #[cfg(feature = "postgres")]
    Postgres(PooledPgConn),
}

impl ReadConn {
    /// Returns the connection, for one call of a store function.
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(conn) => Conn::Sqlite(conn),
            #[cfg(feature = "postgres")]
            Self::Postgres(conn) => Conn::Postgres(conn.conn()),
        }
    }
}
