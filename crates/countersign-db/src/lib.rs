//! One SQL text for two databases: SQLite in a file, or PostgreSQL over a socket.
//!
//! - [`Db`] is the handle: [`Db::read`] for queries, [`Db::write`] for a transaction.
//! - [`on_db!`] runs one `sqlx` expression on whichever driver a [`Conn`] holds.
//! - [`Migrations`] are embedded and append-only, and each set has its own version table.
//! - [`Db::snapshot_into`] copies an SQLite database while it is in use.
//! - [`copy()`] moves all rows to another database, of either kind.
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

mod cause;
mod conn;
mod copy;
mod db;
mod error;
mod migrate;
mod pool_state;
mod postgres;
mod snapshot;
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
pub use postgres::{PgConn, PooledPgConn, Pooler};
pub use snapshot::{SnapshotError, checkpoint_and_close};
pub use time::DbTime;
pub use tx::Tx;
pub use url::{DatabaseUrl, InvalidDatabaseUrl};

/// The target of trace spans. They go to the trace collector, not to the log.
pub const TRACE_TARGET: &str = "countersign_trace";
