//! Decides which throw-away database a test gets: a fresh SQLite file or a fresh database in an ephemeral PostgreSQL
//! cluster, by the environment variable `TEST_DATABASE` (`sqlite`, the default, or `postgres`).

mod cluster;
pub mod schema;

use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::{DatabaseKind, DatabaseUrl, Db, Migrations, PoolPolicy};

/// Which database this test run is for.
///
/// # Panics
/// When `TEST_DATABASE` is neither `sqlite` nor `postgres`.
#[expect(clippy::disallowed_methods, reason = "tests have no settings; one variable picks the database of a run")]
pub fn database_under_test() -> DatabaseKind {
    match std::env::var("TEST_DATABASE").as_deref() {
        Err(_) | Ok("sqlite") => DatabaseKind::Sqlite,
        Ok("postgres") => DatabaseKind::Postgres,
        Ok(other) => panic!("TEST_DATABASE is {other:?}; it takes `sqlite` or `postgres`"),
    }
}

/// A migrated database of its own for one test; gone when dropped.
pub struct TempDb {
    db: Db,
    url: String,
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
        let url = match kind {
            DatabaseKind::Sqlite => format!("sqlite:{}", folder.path().join("test.db").display()),
            DatabaseKind::Postgres => postgres_database(sets).await,
        };
        let db = connect(&url, PoolPolicy { connections_max: 4, ..PoolPolicy::default() }).await;
        if kind == DatabaseKind::Sqlite {
            db.migrate(sets).await.expect("migrations apply");
        }
        Self { db, url, _folder: folder }
    }

    /// The handle.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The address, for a process of its own.
    pub fn url(&self) -> &str {
        &self.url
    }
}

async fn connect(url: &str, policy: PoolPolicy) -> Db {
    let url: DatabaseUrl = url.parse().expect("the harness makes legal addresses");
    Db::connect(&url, &policy).await.expect("the test database can be opened")
}

/// A database cloned from a template that has the migrations, which is much faster than applying them each time.
async fn postgres_database(sets: &[&Migrations]) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);

    let cluster = cluster::Cluster::shared();
    let names: Vec<_> = sets.iter().map(|set| format!("{}{}", set.set, set.steps.len())).collect();
    let template = format!("template_{}", names.join("_"));
    // One at a time within this process: PostgreSQL refuses to copy a template that someone is connected to.
    let _turn = cluster.turn.lock().await;
    if cluster.execute(&format!("CREATE DATABASE {template}")).await.is_ok() {
        let db = connect(&cluster.url(&template), PoolPolicy { connections_max: 1, ..PoolPolicy::default() }).await;
        db.migrate(sets).await.expect("migrations apply");
        db.close().await;
    }
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    cluster.execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await.expect("a template can be copied");
    cluster.url(&name)
}
