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
    let plans = plans(|statement| statement.contains("OFFSET")).await;
    assert_eq!(plans.len(), 2);
    for plan in plans {
        assert!(plan.iter().any(|step| step.contains("COVERING INDEX posts_by_")), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:#?}");
    }
}

#[tokio::test]
async fn a_page_is_read_in_the_order_of_an_index() {
    let plans = plans(|statement| statement.ends_with("posts.id DESC LIMIT 1")).await;
    assert_eq!(plans.len(), 2);
    for plan in plans {
        assert!(plan.iter().any(|step| step.starts_with("SEARCH posts USING INDEX posts_by_")), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN posts") || step.contains("TEMP B-TREE")), "{plan:#?}");
    }
}

/// How SQLite goes about these statements.
async fn plans(wanted: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let db = TempDb::of_kind(DatabaseKind::Sqlite, &SETS).await;
    let mut read = db.db().read().await.unwrap();
    let mut plans = Vec::new();
    for statement in statements(Path::new(STORE)).into_iter().filter(|statement| wanted(statement)) {
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<(i64, i64, i64, String)> = match read.conn() {
            Conn::Sqlite(c) => sqlx::query_as(sql).fetch_all(c).await.unwrap(),
            Conn::Postgres(_) => unreachable!("an SQLite database was asked for"),
        };
        plans.push(plan.into_iter().map(|(.., step)| step).collect());
    }
    plans
}
