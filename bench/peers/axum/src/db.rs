//! The database: one pool, for SQLite or PostgreSQL as the URL says.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};

pub(crate) enum Db {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Compiles a query once for each database.
macro_rules! on_db {
    ($db:expr, $pool:ident => $query:expr) => {
        match $db {
            $crate::db::Db::Sqlite($pool) => $query,
            $crate::db::Db::Postgres($pool) => $query,
        }
    };
}
pub(crate) use on_db;

impl Db {
    /// Connects, and makes the tables that are missing.
    pub(crate) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)?
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .busy_timeout(Duration::from_secs(5));
            let pool = SqlitePool::connect_with(options).await?;
            sqlx::raw_sql(include_str!("../schema/sqlite.sql")).execute(&pool).await?;
            Ok(Self::Sqlite(pool))
        } else {
            let pool = PgPool::connect(url).await?;
            sqlx::raw_sql(include_str!("../schema/postgres.sql")).execute(&pool).await?;
            Ok(Self::Postgres(pool))
        }
    }
}
