use std::path::Path;

use countersign_db::testing::TempDb;
use countersign_db::testing::schema::{assert_schemas_agree, assert_statements_are_portable, statements};
use countersign_db::{Conn, DatabaseKind, Migrations};
use sqlx::AssertSqlSafe;

const SETS: [&Migrations; 2] = [&countersign::MIGRATIONS, &blog::MIGRATIONS];
const STORE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store");

#[tokio::test]
async fn every_statement_of_the_store_is_understood_by_both_databases() {
    assert_statements_are_portable(Path::new(STORE), &SETS).await;
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let mut tables = assert_schemas_agree(&SETS).await;
    tables.retain(|table| !table.starts_with("auth_"));
    assert_eq!(tables.into_iter().collect::<Vec<_>>(), ["post_counts", "post_totals", "posts"]);
}

#[tokio::test]
async fn a_deep_page_is_walked_to_in_an_index_alone() {
    let db = TempDb::of_kind(DatabaseKind::Sqlite, &SETS).await;
    let mut read = db.db().read().await.unwrap();
    let lists: Vec<_> =
        statements(Path::new(STORE)).into_iter().filter(|statement| statement.contains("OFFSET")).collect();
    assert_eq!(lists.len(), 2);
    for statement in lists {
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<(i64, i64, i64, String)> = match read.conn() {
            Conn::Sqlite(c) => sqlx::query_as(sql).fetch_all(c).await.unwrap(),
            Conn::Postgres(_) => unreachable!("an SQLite database was asked for"),
        };
        let plan: Vec<String> = plan.into_iter().map(|(.., step)| step).collect();
        assert!(plan.iter().any(|step| step.contains("COVERING INDEX posts_by_")), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN posts")), "{plan:#?}");
    }
}
