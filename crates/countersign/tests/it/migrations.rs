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
        }
        tx.commit().await.unwrap();

        db.db().migrate(&[&MIGRATIONS]).await.unwrap();

        let mut read = db.db().read().await.unwrap();
        let users: i64 =
            on_db!(read.conn(), c => sqlx::query_scalar("SELECT COUNT(*) FROM auth_users").fetch_one(c).await).unwrap();
        assert_eq!(users, 50, "from version {version}");
    }
}
