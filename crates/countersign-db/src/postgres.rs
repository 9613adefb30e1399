//! PostgreSQL as people have it: the pool of connections to a server, directly or through a pooler, and what each of them
//! is told before it is used.

mod address;
mod conn;
mod probe;

pub use conn::{Lent, PgConn};

pub(crate) use address::PostgresAddress;

use std::io;
use std::time::{Duration, Instant};

use sqlx::postgres::PgPoolOptions;
use sqlx::{ConnectOptions as _, Connection as _, Executor, PgConnection, PgPool, Row as _};
use tokio::time::{sleep, timeout};

use crate::{DbError, PoolPolicy};

/// Who answers at the address of a PostgreSQL database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooler {
    /// The server itself, or a pooler in session mode: a connection of ours is one of the server's for as long as it lasts.
    #[default]
    Session,
    /// A pooler in transaction mode: each transaction may be on another of the server's connections. Nothing is kept on
    /// any: no named statements, no settings and no locks beyond a transaction.
    Transaction,
}

impl Pooler {
    /// What begins a transaction that writes.
    pub(crate) fn begin_text(self) -> &'static str {
        match self {
            Self::Session => BEGIN,
            Self::Transaction => BEGIN_LIMITED,
        }
    }
}

// How long a statement may run, and wait for a lock, before the server ends it: 30 seconds.

/// For a connection that stays ours, and then whether it takes writes. One message, and one answer to wait for.
const GREETING_OF_SESSION: &str = "SET statement_timeout = '30s'; SET lock_timeout = '30s'; SHOW transaction_read_only";
/// What is set stays behind for the next client of the server's connection, so nothing is.
const GREETING_OF_TRANSACTION: &str = "SHOW transaction_read_only";
const BEGIN: &str = "BEGIN";
const BEGIN_LIMITED: &str = "BEGIN; SET LOCAL statement_timeout = '30s'; SET LOCAL lock_timeout = '30s'";
/// The limit on locks is of no use to a transaction that only reads.
const BEGIN_READING: &str = "BEGIN READ ONLY; SET LOCAL statement_timeout = '30s'";

/// A connection idle for longer is asked for a sign of life before it is lent out; a fresher one is trusted, which
/// saves a round trip on every request.
const TRUSTED_IDLE_MAX: Duration = Duration::from_secs(10);
/// How long a connection is kept, however much it is used.
const LIFETIME_MAX: Duration = Duration::from_mins(30);
/// How long a server may take to let us in and be looked at.
const CONTACT_TIME_MAX: Duration = Duration::from_secs(5);
/// How long is waited before a server is tried again that does not take connections yet.
const CONNECT_AGAIN: Duration = Duration::from_millis(100);

/// The connections to one PostgreSQL database.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    pub(crate) pool: PgPool,
    pub(crate) pooler: Pooler,
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
            // Behind an address that moves there may still be a standby, or a primary that was put out of office.
            .after_connect(move |conn, _| Box::pin(greet(conn, greeting)))
            .before_acquire(|conn, meta| {
                Box::pin(async move {
                    let greeting = GREETING_OF_TRANSACTION;
                    Ok(meta.idle_for < TRUSTED_IDLE_MAX || greet(conn, greeting).await.is_ok())
                })
            })
            // The pool asks each connection for a sign of life when it comes back, and waits for it as long as the
            // system does: a quarter of an hour if the server's machine is gone, with the connection's place.
            .after_release(move |conn, _| {
                Box::pin(
                    async move { timeout(wait_max, is_free(conn)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)) },
                )
            })
            // What a server keeps of a connection grows, and an address may lead to another one by then.
            .max_lifetime(LIFETIME_MAX)
            // There has been a connection just now.
            .connect_lazy_with(address.connect_options());
        Ok(Self { pool, pooler })
    }

    /// A connection for reading.
    pub(crate) async fn lend(&self) -> Result<Lent, sqlx::Error> {
        let lent = Lent::new(self.pool.acquire().await?, self.pooler);
        match self.pooler {
            Pooler::Session => Ok(lent),
            // The driver sends a statement and its values apart, and the pooler might send them to two servers.
            Pooler::Transaction => lent.begin(BEGIN_READING).await,
        }
    }
}

/// Tells a connection what holds on it, and asks for a sign of life and whether writing is allowed: on a standby it is not.
async fn greet<'c>(
    conn: impl Executor<'c, Database = sqlx::Postgres>,
    greeting: &'static str,
) -> Result<(), sqlx::Error> {
    let row = sqlx::raw_sql(greeting).fetch_one(conn).await?;
    let is_read_only: String = row.try_get(0)?;
    if is_read_only == "off" { Ok(()) } else { Err(sqlx::Error::Io(io::ErrorKind::ReadOnlyFilesystem.into())) }
}

/// Asks a connection that comes back for a sign of life, and whether it is outside of a transaction: the next caller
/// would be inside. An aborted transaction answers with an error.
async fn is_free(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // Outside of one, the transaction begins with the statement.
    let row = sqlx::raw_sql("SELECT now() = statement_timestamp()").fetch_one(conn).await?;
    let is_free: bool = row.try_get(0)?;
    if !is_free {
        tracing::warn!("a connection came back inside a transaction, and is closed");
    }
    Ok(is_free)
}

/// Whether writing is allowed on a connection: on a standby it is not.
pub(crate) async fn refuse_read_only(conn: PgConn<'_>) -> Result<(), sqlx::Error> {
    greet(conn, GREETING_OF_TRANSACTION).await
}

/// Waits until the server takes a connection and writes, and sees who is in between. The pool would tell of everything as a
/// wait that was in vain.
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
    // Also if it could not be told: nothing waits for a pooler any longer.
    let _ = tokio::join!(one.close(), two.close());
    pooler
}

/// One connection beside the pool.
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

/// Whether the server may only be starting, or giving its office to another.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ReadOnlyFilesystem)
        }
        sqlx::Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}
