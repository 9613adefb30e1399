//! The database handle: opens connections, shares them in pools, and limits their number.

use std::fmt;
use std::time::Duration;

use crate::pool_state::Queues;
#[cfg(feature = "postgres")]
use crate::postgres::{Postgres, prove_writable, refuse_read_only};
#[cfg(feature = "sqlite")]
use crate::sqlite::{Sqlite, rewrite_a_page};
use crate::url::Address;
use crate::{
    AppliedMigration, Conn, DatabaseUrl, DbError, MigrateError, Migrations, ReadConn, TRACE_TARGET, Tx, on_db,
};

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

/// The connections of the driver in use.
#[derive(Clone, Debug)]
pub(crate) enum Pools {
    #[cfg(feature = "sqlite")]
    Sqlite(Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
}

impl Db {
    pub(crate) fn new(pools: Pools) -> Self {
        Self(pools, Queues::default())
    }

    /// Opens the database. An SQLite file that does not exist is created, together with its folder.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] if the database is unreachable, [`DbError::Other`] if the file is not a database,
    /// [`DbError::TransactionPooler`] if the address leads to a transaction pooler without declaring it.
    pub async fn connect(url: &DatabaseUrl, policy: &PoolPolicy) -> Result<Self, DbError> {
        Ok(Self::new(match &url.0 {
            #[cfg(feature = "sqlite")]
            Address::Sqlite(file) => Pools::Sqlite(Box::pin(Sqlite::open(file, policy)).await?),
            #[cfg(feature = "postgres")]
            Address::Postgres { address, .. } => Pools::Postgres(Box::pin(Postgres::open(address, policy)).await?),
        }))
    }

    /// Returns which database this is.
    pub fn kind(&self) -> DatabaseKind {
        match &self.0 {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite(_) => DatabaseKind::Sqlite,
            #[cfg(feature = "postgres")]
            Pools::Postgres(_) => DatabaseKind::Postgres,
        }
    }

    /// Returns a connection for reading; every statement sees what was committed when the statement began.
    pub async fn read(&self) -> Result<ReadConn, DbError> {
        let waiting = self.1.reading().enter();
        // Boxed, because the driver's future is large, and every operation contains this one.
        Ok(waiting.end(by_driver!(Pools, &self.0, pools => Box::pin(pools.acquire()).await))?)
    }

    /// Begins a write transaction. On SQLite, this waits for the one writer and takes the write lock immediately, so
    /// that the transaction cannot fail later when it upgrades from reading to writing.
    pub async fn write(&self) -> Result<Tx, DbError> {
        // Covers the wait for a connection as well as the transaction.
        let span = tracing::info_span!(target: TRACE_TARGET, "transaction");
        let waiting = self.1.writing().enter();
        // Boxed as above.
        let (held, wait_max) =
            by_driver!(Pools, &self.0, pools => (Box::pin(pools.acquire_writer()).await, pools.wait_max()));
        let held = waiting.end(held).map_err(DbError::from).inspect_err(|error| self.1.note_unwritten(error))?;
        Tx::begin(held, wait_max, self.1.clone(), span).await
    }

    /// Compares the database with the embedded migrations and applies all pending steps, set by set in the given order,
    /// in one transaction.
    ///
    /// # Errors
    /// See [`MigrateError`]; the database is unchanged.
    pub async fn migrate(&self, sets: &[&Migrations]) -> Result<Vec<AppliedMigration>, MigrateError> {
        by_driver!(Pools, &self.0, pools => Box::pin(pools.migrate(sets)).await)
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
        match tx.conn() {
            // The transaction has taken the write lock.
            #[cfg(feature = "sqlite")]
            Conn::Sqlite(_) => {}
            #[cfg(feature = "postgres")]
            Conn::Postgres(conn) => refuse_read_only(conn).await?,
        }
        tx.roll_back().await
    }

    /// Forces a durable write that changes no table.
    pub async fn prove_writable(&self) -> Result<(), DbError> {
        let mut tx = self.write().await?;
        match tx.conn() {
            #[cfg(feature = "sqlite")]
            Conn::Sqlite(conn) => rewrite_a_page(conn).await?,
            #[cfg(feature = "postgres")]
            Conn::Postgres(conn) => prove_writable(conn).await?,
        }
        tx.commit().await
    }

    /// Closes every connection, and waits until all have been returned.
    pub async fn close(&self) {
        by_driver!(Pools, &self.0, pools => pools.close().await);
    }
}
