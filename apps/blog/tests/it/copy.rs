//! Copies of the blog's rows to the other kind of database, starting with the kind under test.

use blog::Blog;
use countersign_db::testing::{TempDb, database_under_test};
use countersign_db::{
    Copied, CopyPlan, CopyTarget, DatabaseKind, DatabaseUrl, Db, Differs, ExclusiveDb, Migrations, PoolPolicy, copy,
    on_db,
};
use countersign_server::Host as _;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

const SETS: [&Migrations; 2] = [&countersign::MIGRATIONS, &blog::MIGRATIONS];
const USERS: u128 = 40;
/// More rows in total than one batch holds.
const POSTS_EACH: u128 = 30;

async fn open(database: &TempDb) -> Db {
    let url: DatabaseUrl = database.url().parse().unwrap();
    Db::connect(&url, &PoolPolicy::default()).await.unwrap()
}

/// A database with the blog's tables and without open connections.
async fn closed(kind: DatabaseKind) -> TempDb {
    let database = TempDb::of_kind(kind, &SETS).await;
    database.db().close().await;
    database
}

/// A blog in which every user has posts, except the last one; the first has one fewer.
async fn written() -> TempDb {
    let database = closed(database_under_test()).await;
    let db = open(&database).await;
    let mut tx = db.write().await.unwrap();
    for user in 0..USERS {
        let (id, name) = (Uuid::from_u128(user), format!("user{user}"));
        let insert = "INSERT INTO auth_users (id, username, username_key, email, password_hash, created_at, updated_at) \
                      VALUES ($1, $2, $2, $2, '', 0, 0)";
        on_db!(tx.conn(), c => sqlx::query(insert).bind(id).bind(&name).execute(c).await.map(drop)).unwrap();
        for post in 0..POSTS_EACH * u128::from(user + 1 < USERS) {
            let insert = "INSERT INTO posts (id, user_id, title, content, date_posted, date_edited) VALUES ($1, $2, 'Title', $3, $4, $5)";
            let post_id = Uuid::from_u128(((post << 64) | (user + 1)) << 1);
            // Every second post has been edited.
            let edited = (post % 2 == 1).then_some(7_i64);
            let content = format!("{name}\r\n'quoted' \\ and \u{1f980} {}", "long ".repeat(100));
            on_db!(tx.conn(), c => {
                sqlx::query(insert).bind(post_id).bind(id).bind(&content).bind(-1_i64).bind(edited).execute(c).await.map(drop)
            })
            .unwrap();
        }
    }
    let delete = "DELETE FROM posts WHERE id = (SELECT id FROM posts ORDER BY id LIMIT 1)";
    on_db!(tx.conn(), c => sqlx::query(delete).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    database
}

async fn copied(from: &TempDb, to: &TempDb, target: CopyTarget) -> Copied {
    let mut source = ExclusiveDb::open(&from.url().parse().unwrap()).await.unwrap();
    let mut held = ExclusiveDb::open(&to.url().parse().unwrap()).await.unwrap();
    let plan = CopyPlan { sets: &SETS, derived: Blog::DERIVED_TABLES, target };
    let copied = copy(&mut source, &mut held, &plan, |left| assert!(left.is_empty(), "{left:?}"), |_, _| ()).await;
    source.close().await.unwrap();
    held.close().await.unwrap();
    copied.unwrap()
}

/// The counted total, the sum of the authors' counts, the number of authors with a count, and the actual posts.
async fn totals(db: &Db) -> (i64, i64, i64, i64) {
    on_db!(db.read().await.unwrap().conn(), c => {
        sqlx::query_as(
            "SELECT (SELECT CAST(SUM(posts) AS BIGINT) FROM post_totals), \
                    (SELECT CAST(SUM(posts) AS BIGINT) FROM post_counts), (SELECT COUNT(*) FROM post_counts), \
                    (SELECT COUNT(*) FROM posts)",
        )
        .fetch_one(c)
        .await
        .unwrap()
    })
}

async fn execute(db: &Db, statement: &str) {
    let mut tx = db.write().await.unwrap();
    let statement = AssertSqlSafe(statement.to_owned());
    on_db!(tx.conn(), c => sqlx::raw_sql(statement).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

fn other(kind: DatabaseKind) -> DatabaseKind {
    match kind {
        DatabaseKind::Sqlite => DatabaseKind::Postgres,
        DatabaseKind::Postgres => DatabaseKind::Sqlite,
    }
}

#[tokio::test]
async fn posts_are_counted_right_in_the_database_that_they_move_to() {
    let source = written().await;
    let posts = i64::try_from(POSTS_EACH * (USERS - 1)).unwrap() - 1;
    let authors = i64::try_from(USERS - 1).unwrap();
    let (there, back) = (closed(other(database_under_test())).await, closed(database_under_test()).await);
    for (from, to) in [(&source, &there), (&there, &back)] {
        let Copied { tables, rows, differences, .. } = copied(from, to, CopyTarget::Existing).await;
        assert!(differences.is_empty(), "{differences:?}");
        assert!(tables > 3 && rows > posts.unsigned_abs(), "{rows} rows of {tables} tables");
        let db = open(to).await;
        assert_eq!(totals(&db).await, (posts, posts, authors, posts));
        db.close().await;
    }
    // Each shard of the total is right on PostgreSQL: deleting a user subtracts from the right shard.
    for database in [&there, &back] {
        let db = open(database).await;
        execute(&db, "DELETE FROM auth_users WHERE username = 'user7'").await;
        let left = posts - i64::try_from(POSTS_EACH).unwrap();
        assert_eq!(totals(&db).await, (left, left, authors - 1, left));
        let negative = "SELECT COUNT(*) FROM post_totals WHERE posts < 0";
        let negative: i64 =
            on_db!(db.read().await.unwrap().conn(), c => sqlx::query_scalar(negative).fetch_one(c).await).unwrap();
        assert_eq!(negative, 0);
        db.close().await;
    }
}

#[tokio::test]
async fn counts_that_are_wrong_are_found() {
    let (source, target) = (written().await, closed(other(database_under_test())).await);
    let db = open(&source).await;
    execute(&db, "UPDATE post_totals SET posts = posts + 1 WHERE shard = 0; DELETE FROM post_counts").await;
    db.close().await;
    let Copied { differences, differences_count, .. } = copied(&source, &target, CopyTarget::Existing).await;
    assert_eq!(differences_count, u64::try_from(USERS).unwrap());
    assert!(differences.iter().any(|found| found.table == "post_counts" && found.differs == Differs::Surplus));
    let db = open(&target).await;
    assert!(db.is_half_copied().await.unwrap());
    db.close().await;
}
