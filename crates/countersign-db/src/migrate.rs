//! Compares a database's schema with the embedded migrations, and applies the pending ones.
//!
//! Migrations are embedded, append-only and have the same numbers for both databases; they are the only SQL written
//! twice. All pending ones run in one transaction under a lock. So a killed process leaves the schema unchanged, and
//! several instances that start together migrate once.
//!
//! A step whose name ends with [`EXPANSION`] only adds to the schema, so that the previous program can keep running.
//! The database stores the name with the step, so that a program that does not know the step can still recognize an
//! expansion.

use std::borrow::Cow;
use std::time::Instant;

use sqlx::migrate::{MigrateError as SqlxMigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use crate::{Conn, DatabaseKind, Db, DbError, on_db};

/// The embedded migrations of one owner (the accounts library, a host application), with their own version table
/// `_<set>_migrations`. Created by [`migrations!`](crate::migrations!).
#[derive(Debug)]
pub struct Migrations {
    #[doc(hidden)]
    pub set: &'static str,
    #[doc(hidden)]
    pub steps: &'static [EmbeddedStep],
}

#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedStep {
    pub step: Step,
    pub sqlite: &'static str,
    pub postgres: &'static str,
}

/// Embeds `migrations/sqlite/<name>.sql` and `migrations/postgres/<name>.sql` of the calling crate, each if this crate has
/// the feature.
///
/// ```text
/// pub static MIGRATIONS: Migrations = countersign_db::migrations!("auth", [1 => "0001_users", 2 => "0002_sessions"]);
/// ```
#[macro_export]
macro_rules! migrations {
    ($set:literal, [$($version:literal => $name:literal),+ $(,)?]) => {
        $crate::Migrations {
            set: $set,
            steps: &[$($crate::EmbeddedStep {
                step: $crate::Step { version: $version, name: $name },
                sqlite: $crate::sqlite_text!($name),
                postgres: $crate::postgres_text!($name),
            }),+],
        }
    };
}

// Defined twice, because `cfg` in a macro would ask for the features of the calling crate.

#[cfg(feature = "sqlite")]
#[doc(hidden)]
#[macro_export]
macro_rules! sqlite_text {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite/", $name, ".sql"))
    };
}

#[cfg(not(feature = "sqlite"))]
#[doc(hidden)]
#[macro_export]
macro_rules! sqlite_text {
    ($name:literal) => {
        ""
    };
}

#[cfg(feature = "postgres")]
#[doc(hidden)]
#[macro_export]
macro_rules! postgres_text {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres/", $name, ".sql"))
    };
}

#[cfg(not(feature = "postgres"))]
#[doc(hidden)]
#[macro_export]
macro_rules! postgres_text {
    ($name:literal) => {
        ""
    };
}

/// The suffix of step names that keep everything the previous program uses.
pub const EXPANSION: &str = ".expand";

/// One numbered schema change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The step's number; steps run in this order.
    pub version: i64,
    /// The step's file name without the extension `.sql`; see [`EXPANSION`].
    pub name: &'static str,
}

/// A step in the database that this program does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownStep {
    /// The step's number.
    pub version: i64,
    /// The name that the newer program gave it.
    pub name: String,
}

impl UnknownStep {
    /// Returns whether programs that do not know this step can keep running next to those that do.
    pub fn is_expansion(&self) -> bool {
        self.name.ends_with(EXPANSION)
    }
}

/// A step that [`Db::migrate`] just applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AppliedMigration {
    /// The set that the step belongs to.
    pub set: &'static str,
    /// The step.
    pub step: Step,
}

/// The difference between a database's schema and the embedded migrations of one set.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SchemaStatus {
    /// The set.
    pub set: &'static str,
    /// Steps that the database has.
    pub applied: Vec<Step>,
    /// Steps that the database lacks.
    pub pending: Vec<Step>,
    /// Steps that the database has but this program does not know, because a newer program applied them.
    pub unknown: Vec<UnknownStep>,
    /// Versions whose text differs from the applied one.
    pub altered: Vec<i64>,
}

/// The overall result of a [`SchemaStatus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaState {
    /// Exactly the schema that this program needs.
    Current,
    /// A newer program migrated the schema, with expansions only; this program can keep running.
    Expanded,
    /// Steps are pending.
    Older,
    /// A newer program migrated the schema, and this program cannot use it.
    Newer,
    /// The text of an applied step was changed afterwards; it must be restored.
    Altered,
}

impl SchemaStatus {
    /// Returns the overall result; if several apply, the most severe.
    pub fn state(&self) -> SchemaState {
        if !self.altered.is_empty() {
            SchemaState::Altered
        } else if self.is_beyond_us() {
            SchemaState::Newer
        } else if !self.pending.is_empty() {
            SchemaState::Older
        } else if !self.unknown.is_empty() {
            SchemaState::Expanded
        } else {
            SchemaState::Current
        }
    }

    /// Returns whether an unknown step is not an expansion, or unknown and pending steps exist together. The latter
    /// means that neither program is a successor of the other.
    fn is_beyond_us(&self) -> bool {
        let all_expand = self.unknown.iter().all(UnknownStep::is_expansion);
        !all_expand || (!self.unknown.is_empty() && !self.pending.is_empty())
    }
}

/// Why a migration failed. The database is unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// A newer program migrated the database.
    #[error("the {set} schema is at version {version}, which this program does not know; a newer one made it")]
    Newer {
        /// The set.
        set: &'static str,
        /// The first unknown version.
        version: i64,
    },
    /// The text of an applied step differs from the embedded one.
    #[error("migration {version} of {set} was changed after it had been applied")]
    Altered {
        /// The set.
        set: &'static str,
        /// The step's version.
        version: i64,
    },
    /// A step left rows with dangling foreign keys.
    #[error("the migration would leave rows of table {table} that refer to rows that do not exist")]
    BrokenReferences {
        /// The first such table.
        table: String,
    },
    /// A step's statement failed.
    #[error("a migration of {set} failed")]
    Step {
        /// The set.
        set: &'static str,
        /// The driver's error.
        #[source]
        source: Box<SqlxMigrateError>,
    },
    /// A query on the database failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl Migrations {
    pub(crate) fn table(&self) -> String {
        format!("_{}_migrations", self.set)
    }

    fn migrator(&self, kind: DatabaseKind) -> Migrator {
        let migrations = self.steps.iter().map(|embedded| {
            let sql = match kind {
                DatabaseKind::Sqlite => embedded.sqlite,
                DatabaseKind::Postgres => embedded.postgres,
            };
            let Step { version, name } = embedded.step;
            Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
        });
        Migrator::with_migrations(migrations.collect())
    }

    pub(crate) async fn status(&self, mut conn: Conn<'_>) -> Result<SchemaStatus, DbError> {
        let migrator = self.migrator(conn.kind());
        let applied = self.applied_steps(&mut conn).await?;
        let found = |version: i64| applied.iter().find(|(applied, ..)| *applied == version);
        let (have, lack): (Vec<Step>, Vec<Step>) =
            self.steps.iter().map(|embedded| embedded.step).partition(|step| found(step.version).is_some());
        let altered =
            migrator.iter().filter(|step| found(step.version).is_some_and(|(_, _, sum)| *sum != *step.checksum));
        let unknown = applied.iter().filter(|(version, ..)| !migrator.version_exists(*version));
        Ok(SchemaStatus {
            set: self.set,
            altered: altered.map(|step| step.version).collect(),
            unknown: unknown.map(|(version, name, _)| UnknownStep { version: *version, name: name.clone() }).collect(),
            applied: have,
            pending: lack,
        })
    }

    /// Returns the version, name and checksum of each applied step.
    async fn applied_steps(&self, conn: &mut Conn<'_>) -> Result<Vec<(i64, String, Vec<u8>)>, DbError> {
        let table = self.table();
        let catalogue = match conn.kind() {
            DatabaseKind::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
            DatabaseKind::Postgres => {
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = $1"
            }
        };
        let tables: i64 = on_db!(conn.reborrow(), c => sqlx::query_scalar(catalogue).bind(&table).fetch_one(c).await)?;
        if tables == 0 {
            return Ok(Vec::new());
        }
        // The table name is a constant of ours, never input.
        let select = AssertSqlSafe(format!("SELECT version, description, checksum FROM {table} ORDER BY version"));
        Ok(on_db!(conn.reborrow(), c => sqlx::query_as(select).fetch_all(c).await)?)
    }
}

impl Db {
    /// Compares the database with the embedded migrations and returns one status per set.
    pub async fn schema(&self, sets: &[&Migrations]) -> Result<Vec<SchemaStatus>, DbError> {
        let mut read = self.read().await?;
        let mut statuses = Vec::with_capacity(sets.len());
        for set in sets {
            statuses.push(set.status(read.conn()).await?);
        }
        Ok(statuses)
    }
}

/// Applies the pending steps of every set on a connection whose transaction the caller holds.
pub(crate) async fn apply(sets: &[&Migrations], mut conn: Conn<'_>) -> Result<Vec<AppliedMigration>, MigrateError> {
    let mut applied = Vec::new();
    for set in sets {
        let status = set.status(conn.reborrow()).await?;
        if let Some(&version) = status.altered.first() {
            return Err(MigrateError::Altered { set: set.set, version });
        }
        match status.state() {
            SchemaState::Newer => {
                let strange = status.unknown.iter().find(|step| !step.is_expansion()).or(status.unknown.first());
                return Err(MigrateError::Newer { set: set.set, version: strange.map_or(0, |step| step.version) });
            }
            // Nothing is pending.
            SchemaState::Current | SchemaState::Expanded => continue,
            SchemaState::Older | SchemaState::Altered => {}
        }
        let migrator = set.migrator(conn.kind());
        make_record(&set.table(), conn.reborrow()).await?;
        let failed = |source| MigrateError::Step { set: set.set, source: Box::new(source) };
        for &step in &status.pending {
            if let Some(migration) = migrator.iter().find(|migration| migration.version == step.version) {
                apply_step(&set.table(), migration, conn.reborrow()).await.map_err(failed)?;
            }
            applied.push(AppliedMigration { set: set.set, step });
        }
    }
    Ok(applied)
}

/// Creates the record of applied steps as the driver does. The driver cannot be used here, because it names its
/// statements, which fails behind a pooler in transaction mode.
async fn make_record(table: &str, conn: Conn<'_>) -> Result<(), DbError> {
    let (instant, now, bytes) = match conn.kind() {
        DatabaseKind::Sqlite => ("TIMESTAMP", "CURRENT_TIMESTAMP", "BLOB"),
        DatabaseKind::Postgres => ("TIMESTAMPTZ", "now()", "BYTEA"),
    };
    let create = AssertSqlSafe(format!(
        "CREATE TABLE IF NOT EXISTS {table} (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
         installed_on {instant} NOT NULL DEFAULT {now}, success BOOLEAN NOT NULL, checksum {bytes} NOT NULL, \
         execution_time BIGINT NOT NULL)"
    ));
    Ok(on_db!(conn, c => sqlx::raw_sql(create).execute(c).await.map(drop))?)
}

/// Applies one step and records it.
async fn apply_step(table: &str, step: &Migration, mut conn: Conn<'_>) -> Result<(), SqlxMigrateError> {
    let begun = Instant::now();
    on_db!(conn.reborrow(), c => sqlx::raw_sql(step.sql.clone()).execute(c).await.map(drop))
        .map_err(|error| SqlxMigrateError::ExecuteMigration(error, step.version))?;
    let took_nanoseconds = i64::try_from(begun.elapsed().as_nanos()).unwrap_or(i64::MAX);
    let note = AssertSqlSafe(format!(
        "INSERT INTO {table} (version, description, success, checksum, execution_time) VALUES ($1, $2, TRUE, $3, $4)"
    ));
    on_db!(conn, c => {
        sqlx::query(note)
            .bind(step.version)
            .bind(step.description.as_ref())
            .bind(step.checksum.as_ref())
            .bind(took_nanoseconds)
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}
