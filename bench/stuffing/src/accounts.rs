//! Accounts by the ten thousand: one is registered, and the others are copies of its row, so that all cost one hash.

use std::path::Path;

use bench_kit::account::User;
use bench_kit::broken::{Outcome, While as _, broken};
use bench_kit::client::Connection;
use bench_kit::server::Server;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// Registers the account of number 0.
pub(crate) async fn register_first(server: &Server) -> Outcome<()> {
    let mut connection = Connection::open(server.address).await?;
    connection.ask(&User(0).registration()).await?.expect(201).map(drop)
}

/// Adds the accounts from number 1, with the same password. No server may be running.
pub(crate) async fn add_others(database: &Path, accounts: usize) -> Outcome<()> {
    let mut conn = SqliteConnectOptions::new().filename(database).connect().await.doing("opening the database")?;
    let added = sqlx::query(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1 - 1) \
         INSERT INTO auth_users (id, username, username_key, email, password_hash, language, created_at, updated_at) \
         SELECT randomblob(16), printf('user-%06d', n), printf('user-%06d', n), printf('user-%06d@example.org', n), \
         first.password_hash, first.language, first.created_at, first.updated_at \
         FROM numbers, auth_users AS first WHERE first.username = 'user-000000'",
    )
    .bind(i64::try_from(accounts)?)
    .execute(&mut conn)
    .await
    .doing("adding accounts")?
    .rows_affected();
    conn.close().await?;
    if added + 1 == accounts as u64 { Ok(()) } else { broken(format!("{added} accounts were added to the first")) }
}
