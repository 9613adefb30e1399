//! How connections are opened, shared and bounded.

use std::fmt;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqlitePool};

use crate::pool_state::Queues;
use crate::postgres::{Postgres, refuse_read_only};
use crate::tx::Held;
use crate::url::Address;
use crate::{Conn, DatabaseUrl, DbError, ReadConn, TRACE_TARGET, Tx, on_db};

/// How many connections are kept and how long a caller waits for one.
#[derive(Clone, Debug)]
pub struct PoolPolicy {
    /// Connections at the most: PostgreSQL connections, or SQLite readers beside the one writer.
    pub connections_max: u32,
    /// How long a caller waits for a free connection, and SQLite for another process's write lock.
    pub wait_max: Duration,
}

impl Default for PoolPolicy {
    fn default() -> Self {
        Self { connections_max: 10, wait_max: Duration::from_secs(5) }
    }
}

/// How often a file that others are just making is tried again.
const OPEN_AGAIN: Duration = Duration::from_millis(20);

/// Which of the two databases a [`Db`] speaks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// SQLite in a file of this machine.
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

/// The handle to the database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Db(pub(crate) Pools, pub(crate) Queues);

#[derive(Clone, Debug)]
pub(crate) enum Pools {
    Sqlite {
        /// One connection: SQLite has one writer at a time, and a queue here is fairer than its busy handler.
        writer: SqlitePool,
        readers: SqlitePool,
        /// For migrations, which need a connection with foreign keys off.
        options: Box<SqliteConnectOptions>,
    },
    Postgres(Postgres),
}

impl Db {
    /// Opens the database; an SQLite file that does not exist is created, together with its folder.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when it cannot be reached, [`DbError::Other`] when the file is not a database,
    /// [`DbError::TransactionPooler`] when a pooler is in between that the address does not speak of.
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
                    // An answered write must survive a power cut too: an ended session must not come back.
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
        // The writer first: it creates the file and turns on the write-ahead log that readers need.
        let begun = Instant::now();
        let writer = loop {
            // Of several that start together on a new file each turns on the write-ahead log, and for that SQLite refuses
            // at once instead of waiting for its lock.
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

    /// Which database this is.
    pub fn kind(&self) -> DatabaseKind {
        match &self.0 {
            Pools::Sqlite { .. } => DatabaseKind::Sqlite,
            Pools::Postgres(_) => DatabaseKind::Postgres,
        }
    }

    /// A connection for reading; every statement sees what was committed when it began.
    pub async fn read(&self) -> Result<ReadConn, DbError> {
        let waiting = self.1.reading().enter();
        let acquired = match &self.0 {
            Pools::Sqlite { readers, .. } => readers.acquire().await.map(ReadConn::Sqlite),
            Pools::Postgres(postgres) => postgres.lend().await.map(ReadConn::Postgres),
        };
        Ok(waiting.end(acquired)?)
    }

    /// Begins a write transaction. On SQLite it waits for the one writer and takes the write lock at once, so that it
    /// cannot fail half-way for having read before it wrote.
    pub async fn write(&self) -> Result<Tx, DbError> {
        // From the wait for a connection until the end.
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

    /// Asks the database for a sign of life (`SELECT 1`).
    pub async fn ping(&self) -> Result<(), DbError> {
        let mut read = self.read().await?;
        on_db!(read.conn(), c => sqlx::query("SELECT 1").execute(c).await.map(drop))?;
        Ok(())
    }

    /// Whether writing is allowed and the writer's turn comes: a read-only file, a standby or a writer that does not heal
    /// is found out here. A full disk is too once it has refused a write; see [`Db::prove_writable`].
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

    /// Writes to the disk what leaves nothing behind in any table, and waits until it is there.
    pub async fn prove_writable(&self) -> Result<(), DbError> {
        let mut tx = self.write().await?;
        match tx.conn() {
            // The first page is written anew, with what it has.
            Conn::Sqlite(conn) => {
                let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *conn).await?;
                let same = AssertSqlSafe(format!("PRAGMA user_version = {version}"));
                sqlx::query(same).execute(conn).await.map(drop)?;
            }
            // A transaction with a number has a record of its commit.
            Conn::Postgres(mut conn) => {
                refuse_read_only(conn.reborrow()).await?;
                sqlx::query("SELECT txid_current()").execute(conn).await.map(drop)?;
            }
        }
        tx.commit().await
    }

    /// Closes every connection and waits until each has been given back.
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
