//! PostgreSQL: the connection pool, for a server reached directly or through a pooler, and the setup of each
//! connection.

mod address;
mod conn;
mod probe;

pub use conn::{PgConn, PooledPgConn};

pub(crate) use address::PostgresAddress;

use std::io;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor, PgConnection, PgPool, Row as _};
use tokio::time::{sleep, timeout};

use crate::migrate::apply;
use crate::pool_state::{Queues, state};
use crate::tx::Held;
use crate::{AppliedMigration, Conn, DbError, MigrateError, Migrations, PoolPolicy, PoolState, ReadConn};

/// The kind of connection behind the address of a PostgreSQL database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooler {
    /// The server itself, or a pooler in session mode: our connection keeps one server connection for its whole life.
    #[default]
    Session,
    /// A pooler in transaction mode: each transaction may use another server connection. Nothing outlasts a
    /// transaction: no named statements, no settings and no locks.
    Transaction,
}

impl Pooler {
    /// Returns the statement that begins a write transaction.
    pub(crate) fn begin_text(self) -> &'static str {
        match self {
            Self::Session => BEGIN,
            Self::Transaction => BEGIN_LIMITED,
        }
    }
}

// The server ends a statement that runs for 30 seconds, or that waits for a lock for 30 seconds.

/// Greeting for a connection that stays ours: sets the limits, then reads whether it accepts writes. One round trip.
const GREETING_OF_SESSION: &str = "SET statement_timeout = '30s'; SET lock_timeout = '30s'; SHOW transaction_read_only";
/// Sets nothing, because settings would leak to the next client of the server connection.
const GREETING_OF_TRANSACTION: &str = "SHOW transaction_read_only";
const BEGIN: &str = "BEGIN";
const BEGIN_LIMITED: &str = "BEGIN; SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '30s'";
/// A read-only transaction needs no lock limit.
const BEGIN_READING: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '30s'";

/// A connection that was idle for longer is tested before use. A fresher one is trusted, which saves a round trip per
/// request.
const TRUSTED_IDLE_MAX: Duration = Duration::from_secs(10);
/// The maximum age of a connection, regardless of use.
const LIFETIME_MAX: Duration = Duration::from_mins(30);
/// Advisory lock that serializes migrations of the same database (an arbitrary number, the letters "csig").
const MIGRATION_LOCK: i64 = 0x6373_6967;
/// The time limit for connecting to a server and detecting a pooler.
const CONTACT_TIME_MAX: Duration = Duration::from_secs(5);
/// Retry interval for a server that does not accept connections yet.
const CONNECT_AGAIN: Duration = Duration::from_millis(100);

/// The connections to one PostgreSQL database.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    pool: PgPool,
    pooler: Pooler,
}

impl Postgres {
    pub(crate) async fn open(address: &PostgresAddress, policy: &PoolPolicy) -> Result<Self, DbError> {
        let (pooler, wait_max) = (address.pooler, policy.wait_max);
        first_contact(address, wait_max).await?;
        let greeting = match pooler {
            Pooler::Session => GREETING_OF_SESSION,
            Pooler::Transaction => GREETING_OF_TRANSACTION,
        };
        let pool = PgPoolOptions::new()
            .max_connections(policy.connections_max)
            .acquire_timeout(wait_max)
            .test_before_acquire(false)
            // After a failover, the address may still lead to a standby or a demoted primary.
            .after_connect(move |conn, _| Box::pin(greet(conn, greeting)))
            .before_acquire(|conn, meta| {
                Box::pin(async move {
                    let greeting = GREETING_OF_TRANSACTION;
                    Ok(meta.idle_for < TRUSTED_IDLE_MAX || greet(conn, greeting).await.is_ok())
                })
            })
            // By default, the pool pings each returned connection and waits as long as the system does. If the server's
            // machine is gone, that is a quarter of an hour, and the connection occupies its place in the pool.
            .after_release(move |conn, _| {
                Box::pin(
                    async move { timeout(wait_max, is_free(conn)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)) },
                )
            })
            // Server memory per connection grows, and the address may have moved to another server.
            .max_lifetime(LIFETIME_MAX)
            // `first_contact` has just connected.
            .connect_lazy_with(address.connect_options());
        Ok(Self { pool, pooler })
    }

    /// Returns a connection for reading.
    pub(crate) async fn acquire(&self) -> Result<ReadConn, sqlx::Error> {
        let lent = PooledPgConn::new(self.pool.acquire().await?, self.pooler);
        Ok(ReadConn::Postgres(match self.pooler {
            Pooler::Session => lent,
            // The driver sends a statement and its values separately, and the pooler might send them to two servers.
            Pooler::Transaction => lent.begin(BEGIN_READING).await?,
        }))
    }

    /// Returns a connection for writing.
    pub(crate) async fn acquire_writer(&self) -> Result<Held, sqlx::Error> {
        let conn = self.pool.acquire().await?;
        Ok(Held::Postgres(HeldPostgres { conn, pooler: self.pooler }))
    }

    /// How long a caller waits for a connection.
    pub(crate) fn wait_max(&self) -> Duration {
        self.pool.options().get_acquire_timeout()
    }

    pub(crate) async fn migrate(&self, sets: &[&Migrations]) -> Result<Vec<AppliedMigration>, MigrateError> {
        // A long migration is not an error: the statement and lock limits are for requests.
        let begin = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0; \
                     SET LOCAL idle_in_transaction_session_timeout = 0";
        let mut tx = self.pool.begin_with(begin).await.map_err(DbError::from)?;
        let mut conn = PgConn::new(&mut tx, self.pooler);
        // A lock of the transaction: behind a pooler, session locks would not stay ours.
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(MIGRATION_LOCK)
            .execute(conn.reborrow())
            .await
            .map_err(DbError::from)?;
        let applied = apply(sets, Conn::Postgres(conn)).await?;
        tx.commit().await.map_err(DbError::from)?;
        Ok(applied)
    }

    pub(crate) fn states(&self, queues: &Queues) -> Vec<PoolState> {
        vec![state("shared", &self.pool, &[queues.reading(), queues.writing()], queues.discarded())]
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// Sets up or pings a connection, and fails if it is read-only, as on a standby.
async fn greet<'c>(
    conn: impl Executor<'c, Database = sqlx::Postgres>,
    greeting: &'static str,
) -> Result<(), sqlx::Error> {
    let row = sqlx::raw_sql(greeting).fetch_one(conn).await?;
    let is_read_only: String = row.try_get(0)?;
    if is_read_only == "off" { Ok(()) } else { Err(sqlx::Error::Io(io::ErrorKind::ReadOnlyFilesystem.into())) }
}

/// Pings a returned connection and checks that it is outside a transaction, because the next caller would otherwise be
/// inside it. An aborted transaction answers with an error.
async fn is_free(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // Outside a transaction, this statement starts its own, so both times are equal.
    let row = sqlx::raw_sql("SELECT now() = statement_timestamp()").fetch_one(conn).await?;
    let is_free: bool = row.try_get(0)?;
    if !is_free {
        tracing::warn!("a connection came back inside a transaction, and is closed");
    }
    Ok(is_free)
}

/// Fails if the connection is read-only, as on a standby.
pub(crate) async fn refuse_read_only(conn: PgConn<'_>) -> Result<(), sqlx::Error> {
    greet(conn, GREETING_OF_TRANSACTION).await
}

/// Writes a commit record: a transaction with an id has one. Fails if the connection is read-only.
pub(crate) async fn prove_writable(mut conn: PgConn<'_>) -> Result<(), sqlx::Error> {
    refuse_read_only(conn.reborrow()).await?;
    sqlx::query("SELECT txid_current()").execute(conn).await.map(drop)
}

/// A connection in a transaction.
pub(crate) struct HeldPostgres {
    conn: PoolConnection<sqlx::Postgres>,
    pooler: Pooler,
}

impl HeldPostgres {
    pub(crate) fn begin_text(&self) -> &'static str {
        self.pooler.begin_text()
    }

    pub(crate) fn conn(&mut self) -> Conn<'_> {
        Conn::Postgres(PgConn::new(&mut self.conn, self.pooler))
    }

    /// Ends the transaction. If that fails, the connection is discarded.
    pub(crate) async fn end(mut self, statement: &'static str, time_max: Duration) -> Result<(), sqlx::Error> {
        let ended = timeout(time_max, sqlx::raw_sql(statement).execute(&mut *self.conn)).await;
        let ended = ended.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(drop);
        if ended.is_err() {
            // A proper disconnect could take just as long. The server rolls back transactions of lost connections.
            drop(self.conn.detach());
        }
        ended
    }
}

/// Waits until the server accepts a connection and writes, and detects a pooler. The pool would report every failure as
/// a timeout.
pub(crate) async fn first_contact(address: &PostgresAddress, wait_max: Duration) -> Result<(), DbError> {
    address.check_files().await?;
    let begun = Instant::now();
    loop {
        let contact = timeout(CONTACT_TIME_MAX, contact(address)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        match contact {
            Ok(Pooler::Transaction) if address.pooler == Pooler::Session => return Err(DbError::TransactionPooler),
            Ok(_) => return Ok(()),
            Err(error) if may_pass(&error) && begun.elapsed() + CONNECT_AGAIN < wait_max => sleep(CONNECT_AGAIN).await,
            Err(error) => return Err(error.into()),
        }
    }
}

async fn contact(address: &PostgresAddress) -> Result<Pooler, sqlx::Error> {
    let mut one = connect(address).await?;
    greet(&mut one, GREETING_OF_TRANSACTION).await?;
    if address.pooler == Pooler::Transaction {
        one.close().await?;
        return Ok(Pooler::Transaction);
    }
    let mut two = connect(address).await?;
    let pooler = probe::pooler_between(&mut one, &mut two).await;
    // Closed even if the probe failed: nothing waits for a pooler any longer.
    let _ = tokio::join!(one.close(), two.close());
    pooler
}

/// Opens one connection outside the pool.
pub(crate) async fn connect(address: &PostgresAddress) -> Result<PgConnection, sqlx::Error> {
    let options = address.connect_options();
    let connecting = options.connect();
    match address.connect_time_max {
        Some(time_max) => timeout(time_max, connecting).await.map_err(|_| {
            sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the server did not answer within connect_timeout"))
        })?,
        None => connecting.await,
    }
}

/// Returns whether the server may just be starting, or failing over.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ReadOnlyFilesystem)
        }
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}
