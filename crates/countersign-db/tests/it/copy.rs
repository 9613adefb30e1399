//! Copies between databases of every kind: counters continue, and the rows of migrations are replaced.

use countersign_db::testing::TempDb;
use countersign_db::{
    Copied, CopyError, CopyPlan, CopyTarget, DatabaseKind, Db, ExclusiveDb, Migrations, PoolPolicy, copy, migrations,
    on_db,
};
use sqlx::AssertSqlSafe;

static WITH_KINDS: Migrations = migrations!("kinds", [1 => "0001_test_shelves", 2 => "0002_test_kinds"]);

const KINDS: [DatabaseKind; 2] = [DatabaseKind::Sqlite, DatabaseKind::Postgres];

/// A database without open connections.
async fn closed(kind: DatabaseKind) -> TempDb {
    let database = TempDb::of_kind(kind, &[&WITH_KINDS]).await;
    database.db().close().await;
    database
}

async fn open(database: &TempDb) -> Db {
    Db::connect(&database.url().parse().unwrap(), &PoolPolicy::default()).await.unwrap()
}

async fn execute(database: &TempDb, statement: &str) {
    let db = open(database).await;
    let mut tx = db.write().await.unwrap();
    let statement = AssertSqlSafe(statement.to_owned());
    on_db!(tx.conn(), c => sqlx::raw_sql(statement).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    db.close().await;
}

async fn numbers(database: &TempDb, select: &'static str) -> Vec<i64> {
    let db = open(database).await;
    let numbers = on_db!(db.read().await.unwrap().conn(), c => sqlx::query_scalar(select).fetch_all(c).await).unwrap();
    db.close().await;
    numbers
}

async fn copied(from: &TempDb, to: &TempDb, target: CopyTarget) -> Result<Copied, CopyError> {
    let mut source = ExclusiveDb::open(&from.url().parse().unwrap()).await.unwrap();
    let mut held = ExclusiveDb::open(&to.url().parse().unwrap()).await.unwrap();
    let plan = CopyPlan { sets: &[&WITH_KINDS], derived: &[], target };
    let copied = copy(&mut source, &mut held, &plan, |_| (), |_, _| ()).await;
    source.close().await.unwrap();
    held.close().await.unwrap();
    copied
}

fn written(kind: DatabaseKind) -> String {
    let (bytes, truth, overriding) = match kind {
        DatabaseKind::Sqlite => ("x'00ff'", "1", ""),
        DatabaseKind::Postgres => ("'\\x00ff'", "TRUE", "OVERRIDING SYSTEM VALUE"),
    };
    format!(
        "UPDATE shelves SET name = 'renamed'; \
         INSERT INTO kinds (number, small, middle, truth, floating, double, words, bytes) {overriding} \
             VALUES (-3, -32768, 2147483647, {truth}, 0.5, 1e300, '', {bytes}), (1, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"
    )
}

#[tokio::test]
async fn values_of_every_kind_arrive_as_they_were() {
    for from in KINDS {
        for to in KINDS {
            let (source, target) = (closed(from).await, closed(to).await);
            execute(&source, &written(from)).await;
            let copied = copied(&source, &target, CopyTarget::JustMade).await.unwrap();
            assert!(copied.differences.is_empty(), "{from} to {to}: {:?}", copied.differences);
            assert_eq!((copied.tables, copied.rows, copied.rows_found), (3, 3, 0));
            let exact = "SELECT number FROM kinds WHERE small = -32768 AND middle = 2147483647 AND CAST(truth AS INTEGER) = 1 \
                         AND floating = 0.5 AND double = 1e300 AND words = '' AND length(bytes) = 2";
            assert_eq!(numbers(&target, exact).await, [-3], "{from} to {to}");
            let empty =
                "SELECT number FROM kinds WHERE small IS NULL AND truth IS NULL AND words IS NULL AND bytes IS NULL";
            assert_eq!(numbers(&target, empty).await, [1], "{from} to {to}");
            // The migration's own row was replaced.
            assert_eq!(numbers(&target, "SELECT COUNT(*) FROM shelves WHERE name = 'renamed'").await, [1]);
            assert_eq!(numbers(&target, "SELECT COUNT(*) FROM shelves").await, [1]);
        }
    }
}

#[tokio::test]
async fn numbers_go_on_after_the_greatest_that_was_ever_given() {
    let next = "INSERT INTO kinds (middle) VALUES (7)";
    for from in KINDS {
        for to in KINDS {
            let (source, target) = (closed(from).await, closed(to).await);
            for _ in 0..5 {
                execute(&source, next).await;
            }
            execute(&source, "DELETE FROM kinds").await;
            copied(&source, &target, CopyTarget::JustMade).await.unwrap();
            execute(&target, next).await;
            assert_eq!(numbers(&target, "SELECT number FROM kinds").await, [6], "{from} to {to}");
        }
    }
}

#[tokio::test]
async fn rows_that_migrations_make_are_somebodys_if_the_schema_was_there() {
    let (source, target) = (closed(DatabaseKind::Sqlite).await, closed(DatabaseKind::Postgres).await);
    let refused = copied(&source, &target, CopyTarget::Existing).await.unwrap_err();
    assert!(matches!(&refused, CopyError::Occupied { table } if table == "shelves"), "{refused}");
}

#[tokio::test]
async fn a_value_that_its_column_cannot_take_is_named() {
    for (value, column, reason) in [
        ("small) VALUES (32768", "small", "is too large for its column"),
        ("middle) VALUES (2147483648", "middle", "is too large for its column"),
        ("truth) VALUES (2", "truth", "is not what its column is for"),
        ("words) VALUES (CAST(x'ff' AS TEXT)", "words", "is not UTF-8"),
        ("words) VALUES ('a' || char(0)", "words", "has a character of code zero, and PostgreSQL stores none"),
    ] {
        let (source, target) = (closed(DatabaseKind::Sqlite).await, closed(DatabaseKind::Postgres).await);
        execute(&source, &format!("INSERT INTO kinds ({value})")).await;
        let refused = copied(&source, &target, CopyTarget::JustMade).await.unwrap_err().to_string();
        let expected = format!("the row 1 of the table kinds has a value in its column {column} which {reason}");
        assert_eq!(refused, expected);
    }
    let (source, target) = (closed(DatabaseKind::Sqlite).await, closed(DatabaseKind::Postgres).await);
    execute(&source, "INSERT INTO kinds (words) VALUES ('fine'), ('longer than its column is there')").await;
    let refused = copied(&source, &target, CopyTarget::JustMade).await.unwrap_err();
    assert!(matches!(&refused, CopyError::Refused { table, key, .. } if table == "kinds" && key == "2"), "{refused}");
}
