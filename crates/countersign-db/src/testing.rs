//! Which throw-away database a test gets: a fresh SQLite file or a fresh database in an ephemeral PostgreSQL
//! cluster, by the environment variable `TEST_DATABASE`: `sqlite`, the default; `postgres`; or `pgbouncer-session` and
//! `pgbouncer-transaction`, which are the same PostgreSQL through a pooler; or `postgres-far`, a millisecond away.

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

/// Which database this test run is for.
///
/// # Panics
/// When `TEST_DATABASE` names no kind of database.
pub fn database_under_test() -> DatabaseKind {
    run().0
}

/// Whether this test run reaches PostgreSQL through a pooler.
///
/// # Panics
/// When `TEST_DATABASE` names no kind of database.
pub fn is_pooled() -> bool {
    reach_under_test().is_pooled()
}

/// How this test run reaches PostgreSQL.
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

/// A migrated database of its own for one test; gone when dropped.
pub struct TempDb {
    db: Db,
    url: String,
    server_url: String,
    _folder: TempDir,
}

impl TempDb {
    /// A database of the kind under test with these migrations applied.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn new(sets: &[&Migrations]) -> Self {
        Self::of_kind(database_under_test(), sets).await
    }

    /// A database of this kind with these migrations applied.
    ///
    /// # Panics
    /// When it cannot be made.
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

    /// A PostgreSQL database with these migrations applied, without a pooler in between whatever the run is for: for tests that
    /// look at the server's own affairs.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn on_server(sets: &[&Migrations]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (cluster, name) = postgres_database(sets).await;
        Self::open(cluster.server_url(&name), cluster.server_url(&name), folder).await
    }

    async fn open(url: String, server_url: String, folder: TempDir) -> Self {
        let db = connect(&url, PoolPolicy { connections_max: 4, ..PoolPolicy::default() }).await;
        Self { db, url, server_url, _folder: folder }
    }

    /// The handle.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The address, for a process of its own.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address without a pooler in between.
    pub fn server_url(&self) -> &str {
        &self.server_url
    }
}

async fn connect(url: &str, policy: PoolPolicy) -> Db {
    let url: DatabaseUrl = url.parse().expect("the harness makes legal addresses");
    Db::connect(&url, &policy).await.expect("the test database can be opened")
}

/// A database cloned from a template that has the migrations, which is much faster than applying them each time.
async fn postgres_database(sets: &[&Migrations]) -> (&'static cluster::Cluster, String) {
    static COUNT: AtomicU32 = AtomicU32::new(0);

    let cluster = cluster::Cluster::shared();
    let names: Vec<_> = sets.iter().map(|set| format!("{}{}", set.set, set.steps.len())).collect();
    let template = format!("template_{}", names.join("_"));
    // One at a time within this process: PostgreSQL refuses to copy a template that someone is connected to.
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
