//! Reading, writing and what refusals are told apart.

use countersign_db::testing::TempDb;
use countersign_db::{DbError, DbTime, on_db};
use uuid::Uuid;

use crate::migrate::LIBRARY;

async fn insert(db: &TempDb, name: &str) -> Result<(), DbError> {
    let mut tx = db.db().write().await?;
    on_db!(tx.conn(), c => {
        sqlx::query("INSERT INTO shelves (id, name) VALUES ($1, $2)")
            .bind(Uuid::from_u128(1)).bind(name).execute(c).await.map(drop)
    })?;
    tx.commit().await
}

#[tokio::test]
async fn what_is_committed_is_read_and_what_is_not_is_gone() {
    let db = TempDb::new(&[&LIBRARY]).await;
    let mut tx = db.db().write().await.unwrap();
    on_db!(tx.conn(), c => {
        sqlx::query("INSERT INTO shelves (id, name) VALUES ($1, $2)")
            .bind(Uuid::from_u128(1)).bind("a").execute(c).await.map(drop)
    })
    .unwrap();
    drop(tx);
    insert(&db, "b").await.unwrap();

    let mut read = db.db().read().await.unwrap();
    let names: Vec<String> =
        on_db!(read.conn(), c => sqlx::query_scalar("SELECT name FROM shelves").fetch_all(c).await).unwrap();
    assert_eq!(names, ["b"]);
}

#[tokio::test]
async fn a_taken_key_is_told_from_other_refusals() {
    let db = TempDb::new(&[&LIBRARY]).await;
    insert(&db, "a").await.unwrap();
    assert!(matches!(insert(&db, "b").await, Err(DbError::UniqueViolation)));
}

#[tokio::test]
async fn a_reference_to_nothing_is_told_from_other_refusals() {
    let db = TempDb::new(&[&LIBRARY]).await;
    let mut tx = db.db().write().await.unwrap();
    let refused: Result<(), DbError> = on_db!(tx.conn(), c => {
        sqlx::query("INSERT INTO books (id, shelf_id) VALUES ($1, $2)")
            .bind(Uuid::from_u128(1)).bind(Uuid::from_u128(9)).execute(c).await.map(drop)
    })
    .map_err(DbError::from);
    assert!(matches!(refused, Err(DbError::ForeignKeyViolation)));
}

#[tokio::test]
async fn the_write_check_leaves_nothing_behind() {
    let db = TempDb::new(&[&LIBRARY]).await;
    db.db().check_writable().await.unwrap();
    db.db().check_writable().await.unwrap();
    db.db().ping().await.unwrap();
}

#[tokio::test]
async fn an_instant_keeps_its_microseconds() {
    let db = TempDb::new(&[&LIBRARY]).await;
    let instant: jiff::Timestamp = "2026-11-24T08:00:00.123456Z".parse().unwrap();
    let mut read = db.db().read().await.unwrap();
    let back: DbTime = on_db!(read.conn(), c => {
        sqlx::query_scalar("SELECT CAST($1 AS BIGINT)").bind(DbTime::from(instant)).fetch_one(c).await
    })
    .unwrap();
    assert_eq!(back.timestamp(), Some(instant));
}
