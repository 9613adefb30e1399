//! Decides which accounts there are: one is registered, and the others are copies of its row, so that ten thousand cost one hash.

use std::path::Path;

use hyper::StatusCode;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::broken::{Broken, Outcome, While as _};
use crate::client::{Client, registration};
use crate::server::Server;

/// Registers the account of number 0.
pub(crate) async fn register_first(server: &Server) -> Outcome<()> {
    let mut client = Client::connect(server.address).await?;
    client.send(registration(0)).await?.expect(StatusCode::CREATED).map(drop)
}

/// Adds those of the numbers from 1, with the same password. No server may be running.
pub(crate) async fn add_others(database: &Path, accounts: usize) -> Outcome<()> {
    let mut conn = SqliteConnectOptions::new().filename(database).connect().await.doing("opening the database")?;
    let added = sqlx::query(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1 - 1) \
         INSERT INTO auth_users (id, username, username_key, email, password_hash, language, created_at, updated_at) \
         SELECT randomblob(16), printf('user-%05d', n), printf('user-%05d', n), printf('user-%05d@example.org', n), \
         first.password_hash, first.language, first.created_at, first.updated_at \
         FROM numbers, auth_users AS first WHERE first.username = 'user-00000'",
    )
    .bind(i64::try_from(accounts)?)
    .execute(&mut conn)
    .await
    .doing("adding accounts")?
    .rows_affected();
    conn.close().await?;
    if added + 1 == accounts as u64 { Ok(()) } else { Err(Broken(format!("{added} accounts were added to the first"))) }
}
