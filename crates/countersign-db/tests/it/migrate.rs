//! Migrations are applied atomically, once, and without losing rows.

use countersign_db::testing::TempDb;
use countersign_db::{Db, MigrateError, Migrations, SchemaState, migrations, on_db};
use uuid::Uuid;

pub(crate) static LIBRARY: Migrations = migrations!("library", [1 => "0001_test_shelves"]);
static WITH_ROOMS: Migrations = migrations!("library", [1 => "0001_test_shelves", 2 => "0002_test_rooms"]);
static WITH_COLOURS: Migrations = migrations!("library", [
    1 => "0001_test_shelves", 2 => "0002_test_colours.expand"
]);
static WITH_ROOMS_AND_COLOURS: Migrations = migrations!("library", [
    1 => "0001_test_shelves", 2 => "0002_test_colours.expand", 3 => "0002_test_rooms"
]);
static BROKEN: Migrations = migrations!("library", [
    1 => "0001_test_shelves", 2 => "0002_test_rooms", 3 => "0003_test_broken"
]);
static ALTERED: Migrations = migrations!("library", [1 => "0002_test_rooms"]);

async fn populate(db: &Db) {
    let mut tx = db.write().await.unwrap();
    for number in 0..20 {
        let id = Uuid::from_u128(number);
        on_db!(tx.conn(), c => {
            sqlx::query("INSERT INTO shelves (id, name) VALUES ($1, 'a')").bind(id).execute(c).await.map(drop)
        })
        .unwrap();
        on_db!(tx.conn(), c => {
            sqlx::query("INSERT INTO books (id, shelf_id) VALUES ($1, $1)").bind(id).execute(c).await.map(drop)
        })
        .unwrap();
    }
    tx.commit().await.unwrap();
}

async fn count(db: &Db, select: &'static str) -> i64 {
    let mut read = db.read().await.unwrap();
    on_db!(read.conn(), c => sqlx::query_scalar(select).fetch_one(c).await).unwrap()
}

async fn state(db: &Db, set: &Migrations) -> SchemaState {
    db.schema(&[set]).await.unwrap()[0].state()
}

#[tokio::test]
async fn a_new_not_null_column_keeps_every_row_and_every_row_that_refers_to_it() {
    let db = TempDb::new(&[&LIBRARY]).await;
    populate(db.db()).await;
    assert_eq!(state(db.db(), &WITH_ROOMS).await, SchemaState::Older);

    let applied = db.db().migrate(&[&WITH_ROOMS]).await.unwrap();

    assert_eq!(applied.iter().map(|one| one.step.version).collect::<Vec<_>>(), [2]);
    assert_eq!(count(db.db(), "SELECT COUNT(*) FROM shelves WHERE room = 'hall'").await, 20);
    assert_eq!(count(db.db(), "SELECT COUNT(*) FROM books").await, 20);
    assert_eq!(state(db.db(), &WITH_ROOMS).await, SchemaState::Current);
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_schema_and_the_rows_as_they_were() {
    let db = TempDb::new(&[&LIBRARY]).await;
    populate(db.db()).await;

    let refused = db.db().migrate(&[&BROKEN]).await.unwrap_err();

    assert!(matches!(refused, MigrateError::BrokenReferences { .. } | MigrateError::Step { .. }), "{refused}");
    assert_eq!(count(db.db(), "SELECT COUNT(*) FROM shelves").await, 20);
    assert_eq!(db.db().schema(&[&BROKEN]).await.unwrap()[0].applied.len(), 1);
}

#[tokio::test]
async fn migrating_again_does_nothing() {
    let db = TempDb::new(&[&WITH_ROOMS]).await;
    assert!(db.db().migrate(&[&WITH_ROOMS]).await.unwrap().is_empty());
}

#[tokio::test]
async fn instances_that_start_together_migrate_once() {
    let db = TempDb::new(&[&LIBRARY]).await;
    let sets = [&WITH_ROOMS];
    let (one, two) = tokio::join!(db.db().migrate(&sets), db.db().migrate(&sets));
    assert_eq!(one.unwrap().len() + two.unwrap().len(), 1);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let db = TempDb::new(&[&WITH_ROOMS]).await;
    assert_eq!(state(db.db(), &LIBRARY).await, SchemaState::Newer);
    assert!(matches!(db.db().migrate(&[&LIBRARY]).await, Err(MigrateError::Newer { version: 2, .. })));
}

#[tokio::test]
async fn a_program_runs_on_beside_an_expansion_that_it_does_not_know() {
    let db = TempDb::new(&[&LIBRARY]).await;
    db.db().migrate(&[&WITH_COLOURS]).await.unwrap();
    assert_eq!(state(db.db(), &LIBRARY).await, SchemaState::Expanded);
    assert!(db.db().migrate(&[&LIBRARY]).await.unwrap().is_empty());
    populate(db.db()).await;
    assert_eq!(count(db.db(), "SELECT COUNT(*) FROM shelves WHERE colour IS NULL").await, 20);
    assert_eq!(state(db.db(), &WITH_COLOURS).await, SchemaState::Current);
}

#[tokio::test]
async fn an_expansion_does_not_make_up_for_another_step_that_is_not_known() {
    let db = TempDb::new(&[&WITH_ROOMS_AND_COLOURS]).await;
    assert_eq!(state(db.db(), &LIBRARY).await, SchemaState::Newer);
    assert!(matches!(db.db().migrate(&[&LIBRARY]).await, Err(MigrateError::Newer { version: 3, .. })));
}

#[tokio::test]
async fn an_expansion_by_a_program_that_lacks_our_own_steps_is_refused() {
    static OURS: Migrations = migrations!("library", [1 => "0001_test_shelves", 3 => "0002_test_rooms"]);
    let db = TempDb::new(&[&LIBRARY]).await;
    db.db().migrate(&[&WITH_COLOURS]).await.unwrap();
    assert_eq!(state(db.db(), &OURS).await, SchemaState::Newer);
    assert!(matches!(db.db().migrate(&[&OURS]).await, Err(MigrateError::Newer { version: 2, .. })));
}

#[tokio::test]
async fn an_altered_step_is_refused() {
    let db = TempDb::new(&[&LIBRARY]).await;
    assert_eq!(state(db.db(), &ALTERED).await, SchemaState::Altered);
    assert!(matches!(db.db().migrate(&[&ALTERED]).await, Err(MigrateError::Altered { version: 1, .. })));
}
