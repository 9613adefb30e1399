use std::path::{Path, PathBuf};

use countersign::MIGRATIONS;
use countersign_db::testing::TempDb;
use countersign_db::testing::schema::{assert_schemas_agree, assert_statements_are_portable, statements};
use countersign_db::{Conn, DatabaseKind};
use sqlx::AssertSqlSafe;

fn store() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store")
}

#[tokio::test]
async fn every_statement_of_the_store_is_understood_by_both_databases() {
    assert_statements_are_portable(&store(), &[&MIGRATIONS]).await;
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let tables = assert_schemas_agree(&[&MIGRATIONS]).await;
    assert!(tables.iter().all(|table| table.starts_with("auth_")), "{tables:?}");
    assert!(tables.contains("auth_users") && tables.contains("auth_user_profiles"), "{tables:?}");
}

/// Every `UPDATE` and `DELETE` of the store, except the operator's command that retries jobs.
fn writes() -> Vec<String> {
    let mut writes = statements(&store());
    writes.retain(|statement| statement.starts_with("UPDATE ") || statement.starts_with("DELETE "));
    writes.retain(|statement| !statement.starts_with("UPDATE auth_jobs SET failed_at = NULL"));
    assert!(writes.len() > 30, "{}", writes.len());
    writes
}

#[tokio::test]
async fn nothing_that_sqlite_writes_walks_through_a_table_with_the_writer_held() {
    let db = TempDb::of_kind(DatabaseKind::Sqlite, &[&MIGRATIONS]).await;
    let mut read = db.db().read().await.unwrap();
    let Conn::Sqlite(c) = read.conn() else { unreachable!("an SQLite database was asked for") };
    for statement in writes() {
        let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(sql).fetch_all(&mut *c).await.unwrap();
        assert!(!plan.iter().any(|(.., step)| step.starts_with("SCAN auth_")), "{statement:.200}: {plan:#?}");
    }
}

#[tokio::test]
async fn nothing_that_postgresql_writes_has_to_walk_through_a_table() {
    let db = TempDb::of_kind(DatabaseKind::Postgres, &[&MIGRATIONS]).await;
    let mut read = db.db().read().await.unwrap();
    let Conn::Postgres(mut c) = read.conn() else { unreachable!("a PostgreSQL database was asked for") };
    // On an empty table the planner would scan even though an index exists.
    let planner = "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan";
    sqlx::raw_sql(planner).execute(c.reborrow()).await.unwrap();
    for statement in writes() {
        let parameters = (1..=600).filter(|number| {
            let parameter = format!("${number}");
            let mut places = statement.match_indices(&parameter);
            places.any(|(at, found)| !statement[at + found.len()..].starts_with(|c: char| c.is_ascii_digit()))
        });
        let nulls = vec!["NULL"; parameters.count()].join(", ");
        sqlx::raw_sql(AssertSqlSafe(format!("PREPARE written AS {statement}"))).execute(c.reborrow()).await.unwrap();
        let sql = AssertSqlSafe(format!("EXPLAIN EXECUTE written ({nulls})"));
        let plan: Vec<String> = sqlx::query_scalar(sql).fetch_all(c.reborrow()).await.unwrap();
        sqlx::raw_sql("DEALLOCATE written").execute(c.reborrow()).await.unwrap();
        assert!(!plan.iter().any(|step| step.contains("Seq Scan on auth_")), "{statement:.200}: {plan:#?}");
    }
}
