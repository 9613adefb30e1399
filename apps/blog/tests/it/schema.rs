use std::path::Path;

use countersign_db::testing::TempDb;
use countersign_db::testing::schema::{assert_schemas_agree, assert_statements_are_portable, statements};
use countersign_db::{Conn, DatabaseKind, Migrations};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

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
    let plans = plans(is_page).await;
    assert_eq!(plans.len(), 2);
    for plan in plans {
        assert!(plan.iter().any(|step| step.starts_with("SEARCH posts USING INDEX posts_by_")), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.starts_with("SCAN posts") || step.contains("TEMP B-TREE")), "{plan:#?}");
    }
}

#[tokio::test]
async fn postgresql_plans_a_page_once_for_all() {
    let db = TempDb::on_server(&SETS).await;
    let mut read = db.db().read().await.unwrap();
    let Conn::Postgres(mut c) = read.conn() else { unreachable!("a PostgreSQL database was asked for") };
    // Enough posts, without authors, that a plan for the whole table would be too slow for a page.
    let fill = "SET session_replication_role = replica; \
                INSERT INTO posts SELECT gen_random_uuid(), gen_random_uuid(), 'A title', 'A text', n \
                    FROM generate_series(1, 5000) AS n; \
                ANALYZE posts";
    sqlx::raw_sql(fill).execute(c.reborrow()).await.unwrap();
    let pages: Vec<_> = statements(Path::new(STORE)).into_iter().filter(|statement| is_page(statement)).collect();
    assert_eq!(pages.len(), 2);
    for page in &pages {
        for _ in 0..10 {
            let query = sqlx::query(AssertSqlSafe(page.clone()));
            let query = if page.contains("$3") { query.bind(Uuid::nil()) } else { query };
            query.bind(i64::MAX).bind(Uuid::max()).execute(c.reborrow()).await.unwrap();
        }
    }
    let kept: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE '%posts.id DESC LIMIT 1'",
    )
    .fetch_all(c)
    .await
    .unwrap();
    // PostgreSQL makes five custom plans before it compares them with the generic one.
    assert_eq!(kept, vec![(5, 5); pages.len()]);
}

/// Whether a statement reads a page of posts.
fn is_page(statement: &str) -> bool {
    statement.ends_with("posts.id DESC LIMIT 1")
}

/// SQLite's query plans for these statements.
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
