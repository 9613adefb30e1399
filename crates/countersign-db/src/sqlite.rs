//! SQLite: one writer and several readers of a file.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqlitePool};

use crate::migrate::apply;
use crate::pool_state::{Queues, state};
use crate::tx::Held;
use crate::{AppliedMigration, Conn, DbError, MigrateError, Migrations, PoolPolicy, PoolState, ReadConn};

/// Retry interval for a file that other processes are creating.
const OPEN_AGAIN: Duration = Duration::from_millis(20);

/// The connections to one SQLite database.
#[derive(Clone, Debug)]
pub(crate) struct Sqlite {
    /// One connection: SQLite has one writer at a time, and a queue here is fairer than its busy handler.
    writer: SqlitePool,
    pub(crate) readers: SqlitePool,
    /// For connections outside the pools.
    pub(crate) options: Box<SqliteConnectOptions>,
}

impl Sqlite {
    pub(crate) async fn open(file: &Path, policy: &PoolPolicy) -> Result<Self, DbError> {
        if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            tokio::fs::create_dir_all(folder).await.map_err(|error| {
                let place = folder.display();
                sqlx::Error::Io(io::Error::new(error.kind(), format!("the folder {place} cannot be made: {error}")))
            })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A confirmed write must survive a power failure: an ended session must not come back.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(policy.wait_max)
            .disable_statement_logging();
        Self::open_with(options, policy).await
    }

    pub(crate) async fn open_with(options: SqliteConnectOptions, policy: &PoolPolicy) -> Result<Self, DbError> {
        let pool = || SqlitePoolOptions::new().acquire_timeout(policy.wait_max).test_before_acquire(false);
        // The writer comes first: it creates the file and enables the write-ahead log that readers need.
        let begun = Instant::now();
        let writer = loop {
            // Processes that start together on a new file all enable the write-ahead log, and SQLite then fails
            // immediately instead of waiting for its lock.
            match pool().max_connections(1).connect_with(options.clone()).await.map_err(DbError::from) {
                Err(DbError::Unavailable(_)) if begun.elapsed() < policy.wait_max => {
                    tokio::time::sleep(OPEN_AGAIN).await;
                }
                opened => break opened?,
            }
        };
        let readers = pool()
            .max_connections(policy.connections_max)
            .connect_with(options.clone().create_if_missing(false).read_only(true))
            .await?;
        Ok(Self { writer, readers, options: Box::new(options) })
    }

    /// Returns a connection for reading.
    pub(crate) async fn acquire(&self) -> Result<ReadConn, sqlx::Error> {
        self.readers.acquire().await.map(ReadConn::Sqlite)
    }

    /// Returns the connection for writing.
    pub(crate) async fn acquire_writer(&self) -> Result<Held, sqlx::Error> {
        self.writer.acquire().await.map(|conn| Held::Sqlite(HeldSqlite(conn)))
    }

    /// How long a caller waits for a connection.
    pub(crate) fn wait_max(&self) -> Duration {
        self.writer.options().get_acquire_timeout()
    }

    pub(crate) async fn migrate(&self, sets: &[&Migrations]) -> Result<Vec<AppliedMigration>, MigrateError> {
        // SQLite makes most changes by rebuilding a table, and dropping the old table would cascade into every row that
        // refers to it. So foreign keys are off during the migration, and are checked at the end
        // (https://www.sqlite.org/lang_altertable.html, section 7).
        let mut conn = self.options.as_ref().clone().foreign_keys(false).connect().await.map_err(DbError::from)?;
        let mut tx = conn.begin_with("BEGIN IMMEDIATE").await.map_err(DbError::from)?;
        let applied = apply(sets, Conn::Sqlite(&mut tx)).await?;
        let broken: Option<(String,)> = sqlx::query_as("SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1")
            .fetch_optional(&mut *tx)
            .await
            .map_err(DbError::from)?;
        if let Some((table,)) = broken {
            return Err(MigrateError::BrokenReferences { table });
        }
        tx.commit().await.map_err(DbError::from)?;
        conn.close().await.map_err(DbError::from)?;
        Ok(applied)
    }

    pub(crate) fn states(&self, queues: &Queues) -> Vec<PoolState> {
        vec![
            state("readers", &self.readers, &[queues.reading()], 0),
            state("writer", &self.writer, &[queues.writing()], queues.discarded()),
        ]
    }

    pub(crate) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Rewrites the first page of the file with the same content.
pub(crate) async fn rewrite_a_page(conn: &mut sqlx::SqliteConnection) -> Result<(), sqlx::Error> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *conn).await?;
    let same = AssertSqlSafe(format!("PRAGMA user_version = {version}"));
    sqlx::query(same).execute(conn).await.map(drop)
}

/// The writer's connection, in a transaction.
pub(crate) struct HeldSqlite(PoolConnection<sqlx::Sqlite>);

impl HeldSqlite {
    #[expect(clippy::unused_self, reason = "the other driver's statement depends on the connection")]
    pub(crate) fn begin_text(&self) -> &'static str {
        "BEGIN IMMEDIATE"
    }

    pub(crate) fn conn(&mut self) -> Conn<'_> {
        Conn::Sqlite(&mut self.0)
    }

    /// Ends the transaction, without a time limit: only the disk can be slow. If that fails, the connection is closed.
    /// SQLite also ends a transaction itself if the disk is full, and then there is nothing to roll back.
    pub(crate) async fn end(mut self, statement: &'static str, _: Duration) -> Result<(), sqlx::Error> {
        let ended = sqlx::raw_sql(statement).execute(&mut *self.0).await.map(drop);
        // The pool may open another writer only after the file is closed, because two writers would wait for each other.
        if ended.is_err()
            && let Err(error) = self.0.close().await
        {
            tracing::debug!(%error, "a connection was not closed in order");
        }
        ended
    }
}
