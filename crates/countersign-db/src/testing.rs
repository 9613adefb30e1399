//! Throw-away databases for tests: a new SQLite file, or a new database in an ephemeral PostgreSQL cluster. The
//! environment variable `TEST_DATABASE` selects one: `sqlite` (the default), `postgres`, `pgbouncer-session` or
//! `pgbouncer-transaction` (PostgreSQL through a pooler), or `postgres-far` (a millisecond away).

mod cluster;
mod distance;
mod lone_server;
mod pooler;
pub mod schema;

use std::sync::atomic::{AtomicU32, Ordering};

pub use lone_server::{LoneServer, PoolMode, own_address};
use pooler::Reach;
use tempfile::TempDir;

use crate::{DatabaseKind, DatabaseUrl, Db, Migrations, PoolPolicy};

/// Returns which database this test run is for.
///
/// # Panics
/// If `TEST_DATABASE` has an unknown value.
pub fn database_under_test() -> DatabaseKind {
    run().0
}

/// Returns whether this test run reaches PostgreSQL through a pooler.
///
/// # Panics
/// If `TEST_DATABASE` has an unknown value.
pub fn is_pooled() -> bool {
    reach_under_test().is_pooled()
}

/// Returns how this test run reaches PostgreSQL.
fn reach_under_test() -> Reach {
    run().1
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings; one variable picks the database of a run")]
fn run() -> (DatabaseKind, Reach) {
    match std::env::var("TEST_DATABASE").as_deref() {
        Err(_) | Ok("sqlite") => (DatabaseKind::Sqlite, Reach::Direct),
        Ok("postgres") => (DatabaseKind::Postgres, Reach::Direct),
        Ok("postgres-far") => (DatabaseKind::Postgres, Reach::Far),
        Ok("pgbouncer-session") => (DatabaseKind::Postgres, Reach::SessionPooler),
        Ok("pgbouncer-transaction") => (DatabaseKind::Postgres, Reach::TransactionPooler),
        Ok(other) => panic!(
            "TEST_DATABASE is {other:?}; it takes `sqlite`, `postgres`, `postgres-far`, `pgbouncer-session` or `pgbouncer-transaction`"
        ),
    }
}

/// A migrated database for one test, deleted when dropped.
pub struct TempDb {
    db: Db,
    url: String,
    server_url: String,
    _folder: TempDir,
}

impl TempDb {
    /// Creates a database of the kind under test and applies these migrations.
    ///
    /// # Panics
    /// If that fails.
    pub async fn new(sets: &[&Migrations]) -> Self {
        Self::of_kind(database_under_test(), sets).await
    }

    /// Creates a database of this kind and applies these migrations.
    ///
    /// # Panics
    /// If that fails.
    pub async fn of_kind(kind: DatabaseKind, sets: &[&Migrations]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        match kind {
            DatabaseKind::Sqlite => {
                let url = format!("sqlite:{}", folder.path().join("test.db").display());
                let temporary = Self::open(url.clone(), url, folder).await;
                temporary.db.migrate(sets).await.expect("migrations apply");
                temporary
            }
            DatabaseKind::Postgres => {
                let (cluster, name) = postgres_database(sets).await;
                Self::open(cluster.url(&name), cluster.server_url(&name), folder).await
            }
        }
    }

    /// Creates a PostgreSQL database, never behind a pooler, and applies these migrations: for tests that inspect the
    /// server itself.
    ///
    /// # Panics
    /// If that fails.
    pub async fn on_server(sets: &[&Migrations]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (cluster, name) = postgres_database(sets).await;
        Self::open(cluster.server_url(&name), cluster.server_url(&name), folder).await
    }

    async fn open(url: String, server_url: String, folder: TempDir) -> Self {
        let db = connect(&url, PoolPolicy { connections_max: 4, ..PoolPolicy::default() }).await;
        Self { db, url, server_url, _folder: folder }
    }

    /// Returns the handle.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Returns the address, for a separate process.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the address of the server itself, without a pooler.
    pub fn server_url(&self) -> &str {
        &self.server_url
    }
}

async fn connect(url: &str, policy: PoolPolicy) -> Db {
    let url: DatabaseUrl = url.parse().expect("the harness makes legal addresses");
    Db::connect(&url, &policy).await.expect("the test database can be opened")
}

/// Clones a database from a template that has the migrations, which is much faster than applying them each time.
async fn postgres_database(sets: &[&Migrations]) -> (&'static cluster::Cluster, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);

    let cluster = cluster::Cluster::shared();
    let names: Vec<_> = sets.iter().map(|set| format!("{}{}", set.set, set.steps.len())).collect();
    let template = format!("template_{}", names.join("_"));
    // One at a time within this process: PostgreSQL refuses to copy a template that has connections.
    let _turn = cluster.turn.lock().await;
    if cluster.execute(&format!("CREATE DATABASE {template}")).await.is_ok() {
        let db =
            connect(&cluster.server_url(&template), PoolPolicy { connections_max: 1, ..PoolPolicy::default() }).await;
        db.migrate(sets).await.expect("migrations apply");
        db.close().await;
    }
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    cluster.execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.expect("a template can be copied");
    (cluster, name)
}
