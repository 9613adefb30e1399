//! One SQL text for two databases: SQLite in a file, or PostgreSQL over a socket.
//!
//! - [`Db`] is the handle: [`Db::read`] for queries, [`Db::write`] for a transaction.
//! - [`on_db!`] runs one `sqlx` expression on whichever driver a [`Conn`] holds.
//! - [`Migrations`] are embedded and append-only, and each set has its own version table.
//! - [`Db::snapshot_into`] copies an SQLite database while it is in use.
//! - [`copy()`] moves all rows to another database, of either kind (feature `copy`).
//! - [`DbTime`] is an instant with the same precision in both.
//!
//! The portable subset of SQL: `$n` placeholders, `RETURNING`, `ON CONFLICT`, common table expressions, partial
//! indexes, `CAST`. It deliberately excludes `now()`, `ILIKE`, arrays, `::`, enum types, `SKIP LOCKED` and `LISTEN`.
//! See `docs/adr/0001-two-databases-one-sql-text.md`.
//!
//! ```
//! # use countersign_db::{Conn, DbError, on_db};
//! # use uuid::Uuid;
//! async fn find_name(conn: Conn<'_>, id: Uuid) -> Result<Option<String>, DbError> {
//!     Ok(on_db!(conn, c => {
//!         sqlx::query_scalar("SELECT name FROM things WHERE id = $1").bind(id).fetch_optional(c).await
//!     })?)
//! }
//! ```

// With one driver, some functions cannot fail.
#![cfg_attr(
    not(all(feature = "sqlite", feature = "postgres")),
    allow(clippy::unnecessary_wraps, clippy::allow_attributes, reason = "with the other driver they can")
)]

#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
compile_error!("countersign-db needs the feature `sqlite` or `postgres`, or both");

/// Matches an enum that has a variant per driver, and expands one expression in each arm.
macro_rules! by_driver {
    ($enum:ident, $value:expr, $held:ident => $expression:expr) => {
        match $value {
            #[cfg(feature = "sqlite")]
            $enum::Sqlite($held) => $expression,
            #[cfg(feature = "postgres")]
            $enum::Postgres($held) => $expression,
        }
    };
}

mod cause;
mod conn;
#[cfg(feature = "copy")]
mod copy;
mod db;
mod error;
mod migrate;
mod pool_state;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod snapshot;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod tx;
mod url;

/// The drivers, in the version whose types this crate has in its API.
#[doc(no_inline)]
pub use sqlx;

pub use cause::Cause;
pub use conn::{Conn, ReadConn};
#[cfg(feature = "copy")]
pub use copy::{
    Compared, Copied, CopyError, CopyPlan, CopyTarget, DerivedTable, Difference, Differs, ExclusiveDb, copy,
};
pub use db::{DatabaseKind, Db, PoolPolicy};
pub use error::DbError;
#[doc(hidden)]
pub use migrate::EmbeddedStep;
pub use migrate::{
    AppliedMigration, EXPANSION, MigrateError, Migrations, SchemaState, SchemaStatus, Step, UnknownStep,
};
pub use pool_state::PoolState;
#[cfg(feature = "postgres")]
pub use postgres::{PgConn, PooledPgConn, Pooler};
#[cfg(feature = "sqlite")]
pub use snapshot::{SnapshotError, checkpoint_and_close};
pub use time::DbTime;
pub use tx::Tx;
pub use url::{DatabaseUrl, InvalidDatabaseUrl};

/// The target of trace spans. They go to the trace collector, not to the log.
pub const TRACE_TARGET: &str = "countersign_trace";
