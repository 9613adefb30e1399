//! A populated database of every earlier schema version migrates without losing a row.

use countersign::MIGRATIONS;
use countersign_db::testing::TempDb;
use countersign_db::{Migrations, on_db};
use uuid::Uuid;

#[tokio::test]
async fn users_of_every_earlier_schema_survive() {
    for version in 1..MIGRATIONS.steps.len() {
        let earlier: &'static Migrations =
            Box::leak(Box::new(Migrations { set: MIGRATIONS.set, steps: &MIGRATIONS.steps[..version] }));
        let db = TempDb::new(&[earlier]).await;
        let mut tx = db.db().write().await.unwrap();
        for number in 0..50 {
            on_db!(tx.conn(), c => {
                sqlx::query(
                    "INSERT INTO auth_users (id, username, username_key, email, password_hash, created_at, updated_at) \
                     VALUES ($1, $2, $2, $2, 'x', 0, 0)",
                )
                .bind(Uuid::from_u128(number)).bind(number.to_string()).execute(c).await.map(drop)
            })
            .unwrap();
            let session = match version {
                1 => continue,
                2 => "INSERT INTO auth_sessions (id, user_id, created_at, expires_at) VALUES ($1, $1, 1, $2)",
                _ => {
                    "INSERT INTO auth_sessions (id, user_id, created_at, last_seen_at, authenticated_at, expires_at, \
                     idle_expires_at, salt, refresh_counter) VALUES ($1, $1, 1, 1, 1, $2, $2, $3, 0)"
                }
            };
            on_db!(tx.conn(), c => {
                let query = sqlx::query(session).bind(Uuid::from_u128(number)).bind(i64::MAX);
                let query = if version == 2 { query } else { query.bind(vec![7_u8; 32]) };
                query.execute(c).await.map(drop)
            })
            .unwrap();
        }
        tx.commit().await.unwrap();

        db.db().migrate(&[&MIGRATIONS]).await.unwrap();

        let mut read = db.db().read().await.unwrap();
        let users: i64 =
            on_db!(read.conn(), c => sqlx::query_scalar("SELECT COUNT(*) FROM auth_users").fetch_one(c).await).unwrap();
        assert_eq!(users, 50, "from version {version}");
        let sessions: i64 = on_db!(read.conn(), c => {
            sqlx::query_scalar(
                "SELECT COUNT(*) FROM auth_sessions \
                 WHERE authenticated_at = 1 AND idle_expires_at = expires_at AND LENGTH(salt) = 32",
            )
            .fetch_one(c)
            .await
        })
        .unwrap();
        assert_eq!(sessions, if version >= 2 { 50 } else { 0 }, "from version {version}");
    }
}
