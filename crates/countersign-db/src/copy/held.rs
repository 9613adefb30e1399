//! Decides how a database is held while it is copied or copied into: one connection, nobody else who writes, and a mark in
//! the target for as long as it is not whole.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};

use super::rows::Row;
use super::tables::Table;
use super::{CopyError, CopyTarget};
use crate::url::Address;
use crate::{Conn, DatabaseUrl, Db, DbError, Migrations, SchemaStatus, on_db, take_out_of_use};

/// How long is waited for others to let go of it.
const IN_USE_WAIT_MAX: Duration = Duration::from_secs(1);
/// The same on PostgreSQL, where a writer may be at work for a moment.
const LOCK_TIME_MAX: &str = "5s";
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
    Postgres(PgConnection),
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
            Address::Postgres { options, .. } => {
                let options: PgConnectOptions = (**options).clone();
                let limits = [
                    ("statement_timeout", "0"),
                    ("idle_in_transaction_session_timeout", "0"),
                    ("lock_timeout", LOCK_TIME_MAX),
                ];
                let conn = options.options(limits).disable_statement_logging().connect().await?;
                Ok(Self { link: Link::Postgres(conn), place: None })
            }
        }
    }

    /// Gives it back to others.
    pub async fn close(self) -> Result<(), DbError> {
        match self.link {
            Link::Sqlite(conn) => conn.close().await?,
            Link::Postgres(conn) => conn.close().await?,
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
            Link::Postgres(conn) => Conn::Postgres(conn),
        }
    }

    /// What it is called in the mark that its copy has, however its address is written.
    pub(super) async fn name(&mut self) -> Result<String, DbError> {
        match (&mut self.link, &self.place) {
            (Link::Postgres(conn), _) => Ok(sqlx::query_scalar(
                "SELECT concat('PostgreSQL database ', datname, ', number ', oid, ', schema ', current_schema()) \
                 FROM pg_database WHERE datname = current_database()",
            )
            .fetch_one(conn)
            .await?),
            (Link::Sqlite(_), place) => Ok(place.clone().unwrap_or_default()),
        }
    }

    /// What no other database has at this moment.
    pub(super) async fn incarnation(&mut self) -> Result<String, DbError> {
        let name = self.name().await?;
        match &mut self.link {
            Link::Sqlite(_) => Ok(name),
            Link::Postgres(conn) => {
                let started = "SELECT CAST(extract(epoch FROM pg_postmaster_start_time()) AS TEXT)";
                let started: String = sqlx::query_scalar(started).fetch_one(conn).await?;
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
            Link::Postgres(conn) => {
                // The first query after the locks decides which moment it is.
                sqlx::query("BEGIN ISOLATION LEVEL REPEATABLE READ").execute(&mut *conn).await?;
                let names: Vec<String> = tables.iter().map(Table::quoted_name).collect();
                let lock = AssertSqlSafe(format!("LOCK TABLE {} IN SHARE MODE", names.join(", ")));
                sqlx::query(lock).execute(conn).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn begin(&mut self) -> Result<(), DbError> {
        let begin = match &self.link {
            Link::Sqlite(_) => "BEGIN IMMEDIATE",
            Link::Postgres(_) => "BEGIN",
        };
        self.execute(begin).await
    }

    pub(super) async fn commit(&mut self) -> Result<(), DbError> {
        self.execute("COMMIT").await
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), DbError> {
        Ok(on_db!(self.conn(), c => sqlx::query(statement).execute(c).await.map(drop))?)
    }

    /// Makes it the target: it gets the mark, unless it has that of a copy of the same source.
    pub(super) async fn take_in(
        &mut self,
        source_name: &str,
        tables: &[Table],
        state: CopyTarget,
    ) -> Result<(), CopyError> {
        if let Link::Postgres(conn) = &mut self.link {
            // Let go of when the connection ends, also that of a process that was killed.
            sqlx::query("SELECT pg_advisory_lock($1)").bind(POSTGRES_LOCK).execute(conn).await?;
        }
        if is_marked(self.conn()).await? {
            let select = "SELECT source FROM countersign_copy";
            let earlier: String = on_db!(self.conn(), c => sqlx::query_scalar(select).fetch_one(c).await)?;
            return if earlier == source_name { Ok(()) } else { Err(CopyError::OtherSource { source_name: earlier }) };
        }
        self.begin().await?;
        let written = self.mark(source_name, tables, state).await;
        self.execute(if written.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
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
        self.execute("DROP TABLE countersign_copy").await
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
                self.execute("ROLLBACK").await?;
                return Err(CopyError::Refused { table: table.name.clone(), key: table.shown_key(row), source });
            }
        }
        self.execute("ROLLBACK").await?;
        Err(refusal.into())
    }

    async fn write_whole(&mut self, table: &Table, rows: &[Row]) -> Result<(), DbError> {
        self.begin().await?;
        match table.insert(self.conn(), rows).await {
            Ok(()) => self.commit().await,
            Err(error) => {
                // A connection that is gone has rolled back by itself.
                let _ = self.execute("ROLLBACK").await;
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
