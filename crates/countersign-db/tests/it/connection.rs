//! Reading, writing, and the kinds of errors.

use std::task::{Context, Waker};
use std::time::Duration;

use countersign_db::testing::TempDb;
use countersign_db::{DatabaseKind, Db, DbError, DbTime, PoolPolicy, on_db};
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

#[tokio::test]
async fn whoever_waits_for_a_connection_is_counted_and_whoever_waited_in_vain() {
    let temporary = TempDb::new(&[&LIBRARY]).await;
    let policy = PoolPolicy::new(1, Duration::from_secs(1));
    let db = Db::connect(&temporary.url().parse().unwrap(), &policy).await.unwrap();
    let states = || db.pool_states();
    let reading = || states().into_iter().next().unwrap();
    assert_eq!((reading().connections_max, reading().waiting, reading().timed_out), (1, 0, 0));

    let held = db.read().await.unwrap();
    assert_eq!((reading().open, reading().idle), (1, 0));
    {
        let mut second = std::pin::pin!(db.read());
        assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(reading().waiting, 1);
    }
    assert_eq!(reading().waiting, 0, "whoever gave up does not wait");
    assert!(matches!(db.read().await, Err(DbError::Unavailable(_))));
    assert_eq!((reading().waiting, reading().timed_out), (0, 1));
    drop(held);
    db.ping().await.unwrap();
    let names: Vec<&str> = states().iter().map(|state| state.pool).collect();
    match db.kind() {
        DatabaseKind::Sqlite => assert_eq!(names, ["readers", "writer"]),
        DatabaseKind::Postgres => assert_eq!(names, ["shared"]),
    }
}
