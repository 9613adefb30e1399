use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use countersign_db::testing::TempDb;
use countersign_db::{Conn, DatabaseKind, Migrations, on_db};
use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

const SETS: [&Migrations; 2] = [&countersign::MIGRATIONS, &blog::MIGRATIONS];

/// Every string literal of the store that begins with a verb of SQL.
fn statements() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut statements = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        for verb in ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "] {
            for (start, _) in source.match_indices(&format!("\"{verb}")) {
                let literal = &source[start + 1..];
                let literal = &literal[..literal.find('"').unwrap()];
                statements.push(literal.split("\\\n").map(str::trim_start).collect());
            }
        }
    }
    statements
}

#[tokio::test]
async fn every_statement_of_the_store_is_understood_by_both_databases() {
    let statements = statements();
    let calls: usize = ["posts", "post_counts"]
        .map(|table| fs::read_to_string(format!("{}/src/store/{table}.rs", env!("CARGO_MANIFEST_DIR"))).unwrap())
        .iter()
        .map(|source| source.matches("sqlx::query").count())
        .sum();
    assert_eq!(statements.len(), calls, "a statement that this test does not see");
    for kind in [DatabaseKind::Sqlite, DatabaseKind::Postgres] {
        let db = TempDb::of_kind(kind, &SETS).await;
        let mut read = db.db().read().await.unwrap();
        for statement in &statements {
            let sql = AssertSqlSafe(statement.clone()).into_sql_str();
            let prepared = on_db!(read.conn(), c => c.prepare(sql).await.map(drop));
            assert!(prepared.is_ok(), "{kind}: {statement}: {prepared:?}");
        }
    }
}

/// Table, column, nullability and what the column holds.
type Column = (String, String, bool, &'static str);

async fn columns(conn: Conn<'_>) -> BTreeSet<Column> {
    let catalogue = match conn.kind() {
        DatabaseKind::Sqlite => {
            "SELECT tables.name, columns.name, CAST(columns.\"notnull\" AS INTEGER), lower(columns.type) \
             FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns \
             WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        }
        DatabaseKind::Postgres => {
            "SELECT table_name::text, column_name::text, (is_nullable = 'NO')::integer, data_type::text \
             FROM information_schema.columns \
             WHERE table_schema = current_schema()"
        }
    };
    let rows: Vec<(String, String, i32, String)> =
        on_db!(conn, c => sqlx::query_as(catalogue).fetch_all(c).await.unwrap());
    rows.into_iter()
        .filter(|(table, ..)| !table.starts_with("auth_") && !table.starts_with('_'))
        .map(|(table, column, not_null, kind)| {
            let holds = match kind.as_str() {
                "blob" | "uuid" => "id",
                "text" => "text",
                "integer" | "bigint" => "number",
                other => panic!("{table}.{column} is of the unexpected type {other}"),
            };
            (table, column, not_null == 1, holds)
        })
        .collect()
}

async fn indexes(conn: Conn<'_>) -> BTreeSet<String> {
    let catalogue = match conn.kind() {
        DatabaseKind::Sqlite => "SELECT tbl_name, name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        DatabaseKind::Postgres => {
            "SELECT tablename::text, indexname::text FROM pg_indexes \
             WHERE schemaname = current_schema() AND indexname NOT LIKE '%\\_pkey'"
        }
    };
    let rows: Vec<(String, String)> = on_db!(conn, c => sqlx::query_as(catalogue).fetch_all(c).await.unwrap());
    rows.into_iter().filter(|(table, _)| table.starts_with("post")).map(|(_, index)| index).collect()
}

#[tokio::test]
async fn both_databases_have_the_same_tables() {
    let sqlite = TempDb::of_kind(DatabaseKind::Sqlite, &SETS).await;
    let postgres = TempDb::of_kind(DatabaseKind::Postgres, &SETS).await;
    let (mut sqlite, mut postgres) = (sqlite.db().read().await.unwrap(), postgres.db().read().await.unwrap());
    let tables = columns(sqlite.conn()).await;
    assert_eq!(tables, columns(postgres.conn()).await);
    assert_eq!(
        tables.iter().map(|(table, ..)| table.as_str()).collect::<BTreeSet<_>>(),
        ["post_counts", "post_totals", "posts"].into()
    );
    assert!(tables.iter().all(|(.., not_null, _)| *not_null));
    assert_eq!(indexes(sqlite.conn()).await, indexes(postgres.conn()).await);
}

#[tokio::test]
async fn a_deep_page_is_walked_to_in_an_index_alone() {
    let db = TempDb::of_kind(DatabaseKind::Sqlite, &SETS).await;
    let mut read = db.db().read().await.unwrap();
    let lists: Vec<_> = statements().into_iter().filter(|statement| statement.contains("OFFSET")).collect();
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
