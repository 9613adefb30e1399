//! Exclusive access to the source or target of a copy: one connection, no other writers, and a marker table in the
//! target until the copy is complete.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};

use super::rows::Row;
use super::tables::Table;
use super::{CopyError, CopyTarget};
use crate::postgres::{self, PostgresAddress};
use crate::url::Address;
use crate::{Conn, DatabaseUrl, Db, DbError, Migrations, PgConn, SchemaStatus, checkpoint_and_close, on_db};

/// How long to wait for others to release an SQLite file.
const IN_USE_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long to wait for a PostgreSQL server that is starting.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);
/// Begins a transaction on PostgreSQL. Every statement runs in a transaction, because behind a pooler nothing outlasts
/// one. Transactions have no time limit, but wait for a lock at most 5 seconds, as long as a write may take.
const BEGIN: &str = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
                     SET LOCAL lock_timeout = '5s'";
/// As `BEGIN`, with a snapshot of one moment for all reads.
const BEGIN_AT_ONE_MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL statement_timeout = 0; \
                                   SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = '5s'";
/// Advisory lock that serializes copies into the same PostgreSQL database (an arbitrary number, the letters "copy").
const POSTGRES_LOCK: i64 = 0x636f_7079;

/// A database on a single connection, without concurrent writers.
pub struct ExclusiveDb {
    link: Link,
    /// The canonical location, regardless of how the address is written.
    place: Option<String>,
}

enum Link {
    Sqlite(SqliteConnection),
    Postgres(Box<PostgresLink>),
}

struct PostgresLink {
    /// Always in a transaction.
    conn: PgConnection,
    address: PostgresAddress,
    /// For a target: the connection whose transaction holds the advisory lock.
    queue: Option<PgConnection>,
}

impl PostgresLink {
    async fn open(address: &PostgresAddress) -> Result<Self, DbError> {
        let mut conn = postgres::connect(address).await?;
        sqlx::raw_sql(BEGIN).execute(&mut conn).await?;
        Ok(Self { conn, address: address.clone(), queue: None })
    }

    fn conn(&mut self) -> PgConn<'_> {
        PgConn::new(&mut self.conn, self.address.pooler())
    }

    /// Waits until no other copy into this database runs. The lock ends with the connection, even if the process is
    /// killed.
    async fn queue(&mut self) -> Result<(), DbError> {
        let mut queue = postgres::connect(&self.address).await?;
        sqlx::raw_sql(BEGIN).execute(&mut queue).await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(POSTGRES_LOCK)
            .execute(PgConn::new(&mut queue, self.address.pooler()))
            .await?;
        self.queue = Some(queue);
        Ok(())
    }

    /// Ends the transaction with `end` and begins the next one.
    async fn go_on(&mut self, end: &'static str) -> Result<(), DbError> {
        sqlx::raw_sql(end).execute(&mut self.conn).await?;
        sqlx::raw_sql(BEGIN).execute(&mut self.conn).await?;
        Ok(())
    }
}

impl ExclusiveDb {
    /// Opens an existing database. For an SQLite file, this locks out all other programs.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when another program has the SQLite file open, or PostgreSQL does not answer.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, DbError> {
        match &url.0 {
            Address::Sqlite(path) => {
                checkpoint_and_close(path).await?;
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(false)
                    .foreign_keys(true)
                    .locking_mode(SqliteLockingMode::Exclusive)
                    .journal_mode(SqliteJournalMode::Delete)
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(IN_USE_WAIT_MAX)
                    .disable_statement_logging();
                let mut conn = options.connect().await?;
                // In this locking mode, the lock outlives the transaction.
                sqlx::raw_sql("BEGIN EXCLUSIVE; COMMIT").execute(&mut conn).await?;
                let place = tokio::fs::canonicalize(path).await.map_err(sqlx::Error::Io)?;
                Ok(Self { link: Link::Sqlite(conn), place: Some(format!("sqlite:{}", place.display())) })
            }
            Address::Postgres { address, .. } => {
                postgres::first_contact(address, ANSWER_WAIT_MAX).await?;
                Ok(Self { link: Link::Postgres(Box::new(PostgresLink::open(address).await?)), place: None })
            }
        }
    }

    /// Closes the connection, so that others can use the database again.
    pub async fn close(self) -> Result<(), DbError> {
        match self.link {
            Link::Sqlite(conn) => conn.close().await?,
            Link::Postgres(link) => {
                link.conn.close().await?;
                if let Some(queue) = link.queue {
                    queue.close().await?;
                }
            }
        }
        Ok(())
    }

    /// Compares the database with the embedded migrations and returns one status per set.
    pub async fn schema(&mut self, sets: &[&Migrations]) -> Result<Vec<SchemaStatus>, DbError> {
        let mut statuses = Vec::with_capacity(sets.len());
        for set in sets {
            statuses.push(set.status(self.conn()).await?);
        }
        Ok(statuses)
    }

    /// Returns whether a copy into this database began and did not finish.
    pub async fn is_half_copied(&mut self) -> Result<bool, DbError> {
        is_marked(self.conn()).await
    }

    pub(super) fn conn(&mut self) -> Conn<'_> {
        match &mut self.link {
            Link::Sqlite(conn) => Conn::Sqlite(conn),
            Link::Postgres(link) => Conn::Postgres(link.conn()),
        }
    }

    /// Returns the name that identifies the database in a copy's marker, regardless of how the address is written.
    pub(super) async fn name(&mut self) -> Result<String, DbError> {
        match (&mut self.link, &self.place) {
            (Link::Postgres(link), _) => Ok(sqlx::query_scalar(
                "SELECT concat('PostgreSQL database ', datname, ', number ', oid, ', schema ', current_schema()) \
                 FROM pg_database WHERE datname = current_database()",
            )
            .fetch_one(link.conn())
            .await?),
            (Link::Sqlite(_), place) => Ok(place.clone().unwrap_or_default()),
        }
    }

    /// Returns a string that is unique among all current databases.
    pub(super) async fn incarnation(&mut self) -> Result<String, DbError> {
        let name = self.name().await?;
        match &mut self.link {
            Link::Sqlite(_) => Ok(name),
            Link::Postgres(link) => {
                let started = "SELECT CAST(extract(epoch FROM pg_postmaster_start_time()) AS TEXT)";
                let started: String = sqlx::query_scalar(started).fetch_one(link.conn()).await?;
                Ok(format!("{name}, of the server started at {started}"))
            }
        }
    }

    /// Starts a consistent snapshot for all reads and blocks writers.
    pub(super) async fn hold_still(&mut self, tables: &[Table]) -> Result<(), DbError> {
        match &mut self.link {
            Link::Sqlite(conn) => {
                sqlx::query("BEGIN EXCLUSIVE").execute(conn).await?;
            }
            Link::Postgres(link) => {
                // The first query after the locks fixes the snapshot.
                sqlx::raw_sql("COMMIT").execute(&mut link.conn).await?;
                sqlx::raw_sql(BEGIN_AT_ONE_MOMENT).execute(&mut link.conn).await?;
                let names: Vec<String> = tables.iter().map(Table::quoted_name).collect();
                let lock = AssertSqlSafe(format!("LOCK TABLE {} IN SHARE MODE", names.join(", ")));
                sqlx::raw_sql(lock).execute(&mut link.conn).await?;
            }
        }
        Ok(())
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self) -> Result<(), DbError> {
        match &mut self.link {
            Link::Sqlite(_) => self.execute("BEGIN IMMEDIATE").await,
            Link::Postgres(link) => link.go_on("COMMIT").await,
        }
    }

    pub(super) async fn commit(&mut self) -> Result<(), DbError> {
        self.end("COMMIT").await
    }

    async fn roll_back(&mut self) -> Result<(), DbError> {
        self.end("ROLLBACK").await
    }

    async fn end(&mut self, end: &'static str) -> Result<(), DbError> {
        match &mut self.link {
            Link::Sqlite(_) => self.execute(end).await,
            Link::Postgres(link) => link.go_on(end).await,
        }
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), DbError> {
        Ok(on_db!(self.conn(), c => sqlx::raw_sql(statement).execute(c).await.map(drop))?)
    }

    /// Prepares the database as a target: adds the marker, unless it already has one for the same source.
    pub(super) async fn take_in(
        &mut self,
        source_name: &str,
        tables: &[Table],
        state: CopyTarget,
    ) -> Result<(), CopyError> {
        if let Link::Postgres(link) = &mut self.link {
            link.queue().await?;
        }
        if is_marked(self.conn()).await? {
            let select = "SELECT source FROM countersign_copy";
            let earlier: String = on_db!(self.conn(), c => sqlx::query_scalar(select).fetch_one(c).await)?;
            return if earlier == source_name { Ok(()) } else { Err(CopyError::OtherSource { source_name: earlier }) };
        }
        self.begin().await?;
        let written = self.mark(source_name, tables, state).await;
        self.end(if written.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        written
    }

    async fn mark(&mut self, source_name: &str, tables: &[Table], state: CopyTarget) -> Result<(), CopyError> {
        for table in tables.iter().rev().filter(|table| table.derived.is_none()) {
            if state == CopyTarget::JustMade {
                table.delete_all(self.conn()).await?;
            } else if !table.is_empty(self.conn()).await? {
                return Err(CopyError::Occupied { table: table.name.clone() });
            }
        }
        self.execute("CREATE TABLE countersign_copy (source TEXT NOT NULL)").await?;
        let insert = "INSERT INTO countersign_copy (source) VALUES ($1)";
        on_db!(self.conn(), c => sqlx::query(insert).bind(source_name).execute(c).await.map(drop))?;
        Ok(())
    }

    /// Removes the marker, because the copy is complete.
    pub(super) async fn release(&mut self) -> Result<(), DbError> {
        self.begin().await?;
        self.execute("DROP TABLE countersign_copy").await?;
        self.commit().await
    }

    /// Writes rows in one transaction. If that is refused, names the first row that is refused on its own.
    pub(super) async fn write(&mut self, table: &Table, rows: &[Row]) -> Result<(), CopyError> {
        let refusal = match self.write_whole(table, rows).await {
            Ok(()) => return Ok(()),
            Err(error @ DbError::Unavailable(_)) => return Err(error.into()),
            Err(error) => error,
        };
        self.begin().await?;
        for row in rows {
            if let Err(source) = table.insert(self.conn(), std::slice::from_ref(row)).await {
                self.roll_back().await?;
                return Err(CopyError::Refused { table: table.name.clone(), key: table.shown_key(row), source });
            }
        }
        self.roll_back().await?;
        Err(refusal.into())
    }

    async fn write_whole(&mut self, table: &Table, rows: &[Row]) -> Result<(), DbError> {
        self.begin().await?;
        match table.insert(self.conn(), rows).await {
            Ok(()) => self.commit().await,
            Err(error) => {
                // A lost connection has already rolled back.
                let _ = self.roll_back().await;
                Err(error)
            }
        }
    }
}

impl Db {
    /// Returns whether a copy into this database began and did not finish, so that rows are missing.
    pub async fn is_half_copied(&self) -> Result<bool, DbError> {
        is_marked(self.read().await?.conn()).await
    }
}

async fn is_marked(conn: Conn<'_>) -> Result<bool, DbError> {
    let catalogue = match conn {
        Conn::Sqlite(_) => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'countersign_copy'",
        Conn::Postgres(_) => {
            "SELECT COUNT(*) FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_name = 'countersign_copy'"
        }
    };
    let marks: i64 = on_db!(conn, c => sqlx::query_scalar(catalogue).fetch_one(c).await)?;
    Ok(marks > 0)
}
