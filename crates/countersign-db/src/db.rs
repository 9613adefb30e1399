//! The database handle: opens connections, shares them in pools, and limits their number.

use std::fmt;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqlitePool};

use crate::pool_state::Queues;
use crate::postgres::{Postgres, refuse_read_only};
use crate::tx::Held;
use crate::url::Address;
use crate::{Conn, DatabaseUrl, DbError, ReadConn, TRACE_TARGET, Tx, on_db};

/// Limits of the connection pools.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PoolPolicy {
    /// Maximum connections: PostgreSQL connections, or SQLite readers in addition to the one writer.
    pub connections_max: u32,
    /// How long a caller waits for a free connection, and SQLite for another process's write lock.
    pub wait_max: Duration,
}

impl PoolPolicy {
    /// A policy with these limits.
    pub const fn new(connections_max: u32, wait_max: Duration) -> Self {
        Self { connections_max, wait_max }
    }
}

impl Default for PoolPolicy {
    fn default() -> Self {
        Self { connections_max: 10, wait_max: Duration::from_secs(5) }
    }
}

/// Retry interval for a file that other processes are creating.
const OPEN_AGAIN: Duration = Duration::from_millis(20);

/// The kind of database behind a [`Db`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// SQLite in a local file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// The database handle; cheap to clone.
#[derive(Clone, Debug)]
pub struct Db(pub(crate) Pools, pub(crate) Queues);

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    Sqlite {
        /// One connection: SQLite has one writer at a time, and a queue here is fairer than its busy handler.
        writer: SqlitePool,
        readers: SqlitePool,
        /// For migrations, which need a connection with foreign keys disabled.
        options: Box<SqliteConnectOptions>,
    },
    Postgres(Postgres),
}

impl Db {
    /// Opens the database. An SQLite file that does not exist is created, together with its folder.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if the database is unreachable, [`DbError::Other`] if the file is not a database,
    /// [`DbError::TransactionPooler`] if the address leads to a transaction pooler without declaring it.
    pub async fn connect(url: &DatabaseUrl, policy: &PoolPolicy) -> Result<Self, DbError> {
        match &url.0 {
            Address::Sqlite(path) => {
                if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                    tokio::fs::create_dir_all(folder).await.map_err(sqlx::Error::Io)?;
                }
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .foreign_keys(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    // A confirmed write must survive a power failure: an ended session must not come back.
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(policy.wait_max)
                    .disable_statement_logging();
                Self::open_sqlite(options, policy).await
            }
            Address::Postgres { address, .. } => {
                Ok(Self(Pools::Postgres(Postgres::open(address, policy).await?), Queues::default()))
            }
        }
    }

    pub(crate) async fn open_sqlite(options: SqliteConnectOptions, policy: &PoolPolicy) -> Result<Self, DbError> {
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
        Ok(Self(Pools::Sqlite { writer, readers, options: Box::new(options) }, Queues::default()))
    }

    /// Returns which database this is.
    pub fn kind(&self) -> DatabaseKind {
        match &self.0 {
            Pools::Sqlite { .. } => DatabaseKind::Sqlite,
            Pools::Postgres(_) => DatabaseKind::Postgres,
        }
    }

    /// Returns a connection for reading; every statement sees what was committed when the statement began.
    pub async fn read(&self) -> Result<ReadConn, DbError> {
        let waiting = self.1.reading().enter();
        let acquired = match &self.0 {
            Pools::Sqlite { readers, .. } => readers.acquire().await.map(ReadConn::Sqlite),
            Pools::Postgres(postgres) => postgres.acquire().await.map(ReadConn::Postgres),
        };
        Ok(waiting.end(acquired)?)
    }

    /// Begins a write transaction. On SQLite, this waits for the one writer and takes the write lock immediately, so
    /// that the transaction cannot fail later when it upgrades from reading to writing.
    pub async fn write(&self) -> Result<Tx, DbError> {
        // Covers the wait for a connection as well as the transaction.
        let span = tracing::info_span!(target: TRACE_TARGET, "transaction");
        let waiting = self.1.writing().enter();
        let (held, wait_max) = match &self.0 {
            Pools::Sqlite { writer, .. } => {
                (writer.acquire().await.map(Held::Sqlite), writer.options().get_acquire_timeout())
            }
            Pools::Postgres(postgres) => {
                let acquired = postgres.pool.acquire().await;
                let wait_max = postgres.pool.options().get_acquire_timeout();
                (acquired.map(|conn| Held::Postgres(conn, postgres.pooler)), wait_max)
            }
        };
        let held = waiting.end(held).map_err(DbError::from).inspect_err(|error| self.1.note_unwritten(error))?;
        Tx::begin(held, wait_max, self.1.clone(), span).await
    }

    /// Checks that the database responds (`SELECT 1`).
    pub async fn ping(&self) -> Result<(), DbError> {
        let mut read = self.read().await?;
        on_db!(read.conn(), c => sqlx::query("SELECT 1").execute(c).await.map(drop))?;
        Ok(())
    }

    /// Checks that the database accepts a write transaction. This detects a read-only file, a standby, and a writer
    /// that stays blocked. It detects a full disk only after a write has failed; see [`Db::prove_writable`].
    pub async fn check_writable(&self) -> Result<(), DbError> {
        if self.writing_fails_for().is_some() {
            return self.prove_writable().await;
        }
        let mut tx = self.write().await?;
        if let Conn::Postgres(conn) = tx.conn() {
            refuse_read_only(conn).await?;
        }
        tx.roll_back().await
    }

    /// Forces a durable write that changes no table.
    pub async fn prove_writable(&self) -> Result<(), DbError> {
        let mut tx = self.write().await?;
        match tx.conn() {
            // Rewrites the first page with the same content.
            Conn::Sqlite(conn) => {
                let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *conn).await?;
                let same = AssertSqlSafe(format!("PRAGMA user_version = {version}"));
                sqlx::query(same).execute(conn).await.map(drop)?;
            }
            // A transaction with an id writes a commit record.
            Conn::Postgres(mut conn) => {
                refuse_read_only(conn.reborrow()).await?;
                sqlx::query("SELECT txid_current()").execute(conn).await.map(drop)?;
            }
        }
        tx.commit().await
    }

    /// Closes every connection, and waits until all have been returned.
    pub async fn close(&self) {
        match &self.0 {
            Pools::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(postgres) => postgres.pool.close().await,
        }
    }
}
