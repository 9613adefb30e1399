//! Black-box tests of the binary: a separate process in an empty folder, with only the environment that a test sets, on
//! the database that `TEST_DATABASE` names.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod backup;
mod bucket_backup;
mod challenge;
mod cli;
mod client;
#[cfg(feature = "otlp")]
mod collector;
mod copy;
mod cross_origin;
mod deploy;
mod dev;
mod docs;
mod doctor;
mod doctor_mail;
mod full_disk;
mod guides;
mod host;
mod jobs;
mod keys;
mod kill;
mod logs;
mod mail;
mod media;
mod metrics;
mod migrate;
mod monitoring;
mod nginx;
#[path = "../../../../tests/cluster/src/nginx.rs"]
mod nginx_of_deploy;
mod oversized;
#[path = "../../../countersign/tests/it/s3.rs"]
#[expect(dead_code, reason = "shared with the library, which needs more of it")]
mod s3;
mod sandbox;
mod scheduled_backup;
mod sealed_backup;
mod serving;
mod settings;
mod shutdown;
mod slow_clients;
mod smuggling;
mod tls;
#[cfg(feature = "otlp")]
mod traces;
mod unread;
mod verify;

use countersign::MIGRATIONS;
use countersign_db::testing::{TempDb, database_under_test};
use countersign_db::{DatabaseKind, EmbeddedStep, Migrations, Step};

/// A valid key.
const KEY: &str = "7f3c9a1e5b2d8c4f6a0e9b7d3c5f1a8e2d4b6c80f19e27d3c4b5a6978c03bd1e";
/// A valid password that needs no encoding in a form.
const PASSWORD: &str = "correct-horse-battery-staple";

/// A database with the binary's schema version.
async fn current_database() -> TempDb {
    TempDb::new(&[&MIGRATIONS]).await
}

/// A database without its latest migration.
async fn older_database() -> TempDb {
    let first_steps = &MIGRATIONS.steps[..MIGRATIONS.steps.len() - 1];
    TempDb::new(&[&Migrations { set: MIGRATIONS.set, steps: first_steps }]).await
}

/// The migrations of a future version.
fn later_migrations() -> Migrations {
    let mut steps: Vec<EmbeddedStep> = MIGRATIONS.steps.iter().map(|known| known_step(known, "")).collect();
    let sql = "CREATE TABLE auth_wishes (wish TEXT NOT NULL)";
    steps.push(EmbeddedStep { step: Step { version: 9000, name: "9000_wishes" }, sqlite: sql, postgres: sql });
    Migrations { set: MIGRATIONS.set, steps: Vec::leak(steps) }
}

/// The migrations of the next version, which only adds tables or columns.
fn expanded_migrations() -> Migrations {
    let mut steps: Vec<EmbeddedStep> = MIGRATIONS.steps.iter().map(|known| known_step(known, "")).collect();
    let sql = "ALTER TABLE auth_users ADD COLUMN wish TEXT";
    steps.push(EmbeddedStep { step: Step { version: 9000, name: "9000_wishes.expand" }, sqlite: sql, postgres: sql });
    Migrations { set: MIGRATIONS.set, steps: Vec::leak(steps) }
}

/// The migrations of the version after that, which removes something.
fn contracted_migrations() -> Migrations {
    let expanded = expanded_migrations();
    let mut steps: Vec<EmbeddedStep> = expanded.steps.iter().map(|known| known_step(known, "")).collect();
    let sql = "ALTER TABLE auth_users DROP COLUMN wish";
    steps.push(EmbeddedStep { step: Step { version: 9001, name: "9001_no_wishes" }, sqlite: sql, postgres: sql });
    Migrations { set: MIGRATIONS.set, steps: Vec::leak(steps) }
}

/// Migrations with the same names but different texts.
fn altered_migrations() -> Migrations {
    let steps = MIGRATIONS.steps.iter().map(|known| known_step(known, "\n-- altered\n")).collect();
    Migrations { set: MIGRATIONS.set, steps: Vec::leak(steps) }
}

fn known_step(known: &EmbeddedStep, ending: &str) -> EmbeddedStep {
    let text = |sql: &str| -> &'static str { String::leak(format!("{sql}{ending}")) };
    EmbeddedStep { step: known.step, sqlite: text(known.sqlite), postgres: text(known.postgres) }
}

/// A place for a new database: an SQLite file that does not exist yet, or an empty PostgreSQL database.
struct EmptyPlace {
    url: String,
    _postgres: Option<TempDb>,
}

impl EmptyPlace {
    async fn new() -> Self {
        match database_under_test() {
            DatabaseKind::Sqlite => Self { url: "sqlite:store/accounts.db".to_owned(), _postgres: None },
            DatabaseKind::Postgres => {
                let database = TempDb::new(&[]).await;
                Self { url: database.url().to_owned(), _postgres: Some(database) }
            }
        }
    }
}
