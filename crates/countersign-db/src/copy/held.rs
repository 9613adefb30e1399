//! How a database is held while it is copied or copied into: one connection, nobody else who writes, and a mark in
//! the target for as long as it is not whole.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};

use super::rows::Row;
use super::tables::Table;
use super::{CopyError, CopyTarget};
use crate::postgres::{self, PostgresAddress};
use crate::url::Address;
use crate::{Conn, DatabaseUrl, Db, DbError, Migrations, PgConn, SchemaStatus, on_db, take_out_of_use};

/// How long is waited for others to let go of it.
const IN_USE_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long is waited for a PostgreSQL server that is just starting.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(5);
/// On PostgreSQL all is said in one transaction or another: behind a pooler, nothing outlasts them. They may take as long as
/// they like, but others are waited for no longer than a writer may be at work.
const BEGIN: &str = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; \
                     SET LOCAL lock_timeout = '5s'";
/// The same, reading everything as it was at one moment.
const BEGIN_AT_ONE_MOMENT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL statement_timeout = 0; \
                                   SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = '5s'";
/// Copies into the same PostgreSQL database queue here (an arbitrary number, the letters "copy").
const POSTGRES_LOCK: i64 = 0x636f_7079;

/// A database on one connection, without anybody beside it who writes.
pub struct HeldDb {
    link: Link,
    /// Where it is, the same however its address is written.
    place: Option<String>,
}

enum Link {
    Sqlite(SqliteConnection),
    Postgres(Box<PostgresLink>),
}

struct PostgresLink {
    /// In a transaction all the time.
    conn: PgConnection,
    address: PostgresAddress,
    /// Of a target: its transaction has the lock, and lasts as long as this.
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

    /// Waits until nobody else copies into this database. Let go of when the connection ends, also that of a process that was
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

    /// Ends the transaction one way or the other, and begins the next one.
    async fn go_on(&mut self, end: &'static str) -> Result<(), DbError> {
        sqlx::raw_sql(end).execute(&mut self.conn).await?;
        sqlx::raw_sql(BEGIN).execute(&mut self.conn).await?;
        Ok(())
    }
}

impl HeldDb {
    /// Opens a database that exists. Of an SQLite file nobody else can have anything from now on.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when another program has the SQLite file open, or PostgreSQL does not answer.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, DbError> {
        match &url.0 {
            Address::Sqlite(path) => {
                take_out_of_use(path).await?;
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
                // With this mode, the lock of a transaction outlives it.
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

    /// Gives it back to others.
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

    /// Compares it with the embedded migrations, one status a set.
    pub async fn schema(&mut self, sets: &[&Migrations]) -> Result<Vec<SchemaStatus>, DbError> {
        let mut statuses = Vec::with_capacity(sets.len());
        for set in sets {
            statuses.push(set.status(self.conn()).await?);
        }
        Ok(statuses)
    }

    /// Whether a copy into it was begun and not finished.
    pub async fn is_half_copied(&mut self) -> Result<bool, DbError> {
        is_marked(self.conn()).await
    }

    pub(super) fn conn(&mut self) -> Conn<'_> {
        match &mut self.link {
            Link::Sqlite(conn) => Conn::Sqlite(conn),
            Link::Postgres(link) => Conn::Postgres(link.conn()),
        }
    }

    /// What it is called in the mark that its copy has, however its address is written.
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

    /// What no other database has at this moment.
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

    /// Sees to it that from here on everything is read as it was at one moment, and that nobody writes.
    pub(super) async fn hold_still(&mut self, tables: &[Table]) -> Result<(), DbError> {
        match &mut self.link {
            Link::Sqlite(conn) => {
                sqlx::query("BEGIN EXCLUSIVE").execute(conn).await?;
            }
            Link::Postgres(link) => {
                // The first query after the locks decides which moment it is.
                sqlx::raw_sql("COMMIT").execute(&mut link.conn).await?;
                sqlx::raw_sql(BEGIN_AT_ONE_MOMENT).execute(&mut link.conn).await?;
                let names: Vec<String> = tables.iter().map(Table::quoted_name).collect();
                let lock = AssertSqlSafe(format!("LOCK TABLE {} IN SHARE MODE", names.join(", ")));
                sqlx::raw_sql(lock).execute(&mut link.conn).await?;
            }
        }
        Ok(())
    }

    /// Begins a transaction that is committed or rolled back as a whole.
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

    /// Makes it the target: it gets the mark, unless it has that of a copy of the same source.
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

    /// Takes the mark away: it is whole.
    pub(super) async fn release(&mut self) -> Result<(), DbError> {
        self.begin().await?;
        self.execute("DROP TABLE countersign_copy").await?;
        self.commit().await
    }

    /// Writes rows in one transaction; if that is refused, the first row that is refused alone is named.
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
                // A connection that is gone has rolled back by itself.
                let _ = self.roll_back().await;
                Err(error)
            }
        }
    }
}

impl Db {
    /// Whether a copy into it was begun and not finished: then it has only a part of its rows.
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
