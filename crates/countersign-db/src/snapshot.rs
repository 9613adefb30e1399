//! Snapshots of an SQLite database that is in use, and the integrity checks of a copy.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::db::Pools;
use crate::sqlite::Sqlite;
use crate::{Db, DbError, PoolPolicy};

/// Why a snapshot or a check failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The database is PostgreSQL, which has its own tools for copies.
    #[error("this is no SQLite database; a PostgreSQL one is copied by PostgreSQL's own tools")]
    NotSqlite,
    /// The copy's path is not Unicode, which SQLite requires.
    #[error("the path of the copy is not Unicode")]
    NotUnicode,
    /// The file's structure is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// Rows refer to rows that do not exist.
    #[error("rows of the table {table} refer to rows that do not exist")]
    BrokenReferences {
        /// The first such table.
        table: String,
    },
    /// A query on the database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for SnapshotError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// How long to wait for others to release a file.
const IN_USE_WAIT_MAX: Duration = Duration::from_secs(1);

impl Db {
    /// Writes everything committed so far into another file with `VACUUM INTO`, in one transaction that does not block
    /// writers. An existing file must be empty. The file is not synced to disk.
    pub async fn snapshot_into(&self, file: &Path) -> Result<(), SnapshotError> {
        let file = file.to_str().ok_or(SnapshotError::NotUnicode)?;
        // A separate connection, because the pools are for requests and have time limits.
        let mut conn = self.sqlite()?.options.as_ref().clone().connect().await?;
        sqlx::query("VACUUM INTO $1").bind(file).execute(&mut conn).await?;
        Ok(conn.close().await?)
    }

    /// Opens a copy that nothing else uses and that need not survive a crash. It has no write-ahead log, so that the
    /// file is the whole database once closed.
    pub async fn open_copy(file: &Path) -> Result<Self, DbError> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(false)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off)
            .disable_statement_logging();
        Ok(Self::new(Pools::Sqlite(Sqlite::open_with(options, &PoolPolicy::default()).await?)))
    }

    /// Reads a whole SQLite database to check its pages, indexes and foreign keys.
    pub async fn check_whole(&self) -> Result<(), SnapshotError> {
        let readers = &self.sqlite()?.readers;
        let verdict: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(readers).await?;
        if verdict != "ok" {
            return Err(SnapshotError::Damaged(verdict));
        }
        let broken: Option<(String,)> =
            sqlx::query_as("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1").fetch_optional(readers).await?;
        match broken {
            Some((table,)) => Err(SnapshotError::BrokenReferences { table }),
            None => Ok(()),
        }
    }

    /// Returns the number of rows in each table of an SQLite database.
    pub async fn count_rows(&self) -> Result<BTreeMap<String, i64>, SnapshotError> {
        let readers = &self.sqlite()?.readers;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
        )
        .fetch_all(readers)
        .await?;
        let mut counts = BTreeMap::new();
        for table in tables {
            let quoted = table.replace('"', "\"\"");
            let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM \"{quoted}\""));
            counts.insert(table, sqlx::query_scalar(count).fetch_one(readers).await?);
        }
        Ok(counts)
    }

    fn sqlite(&self) -> Result<&Sqlite, SnapshotError> {
        match &self.0 {
            Pools::Sqlite(sqlite) => Ok(sqlite),
            #[cfg(feature = "postgres")]
            Pools::Postgres(_) => Err(SnapshotError::NotSqlite),
        }
    }
}

/// Checkpoints the write-ahead log of an SQLite file and removes it, so that the file alone is the database.
///
/// # Errors
/// [`DbError::Unavailable`] if another program has the database open, [`DbError::Other`] if the file is not a database.
pub async fn checkpoint_and_close(file: &Path) -> Result<(), DbError> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        // SQLite leaves write-ahead mode only if no other connection is open.
        .journal_mode(SqliteJournalMode::Delete)
        .busy_timeout(IN_USE_WAIT_MAX)
        .disable_statement_logging();
    Ok(options.connect().await?.close().await?)
}
