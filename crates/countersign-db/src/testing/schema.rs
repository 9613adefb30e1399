//! Checks that one SQL text works on both databases: every statement is prepared on both, and both have the same
//! tables.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

use super::TempDb;
use crate::{Conn, DatabaseKind, Migrations, on_db};

const BOTH: [DatabaseKind; 2] = [DatabaseKind::Sqlite, DatabaseKind::Postgres];

/// Returns every statement in the sources of a `store` folder: the string literals that begin with an SQL verb.
/// Replaces `{rows_max}` with 1, and `{keys}` with 500 parameters.
///
/// # Panics
/// If a call of `sqlx::query` has no such literal, or a file cannot be read.
pub fn statements(store: &Path) -> Vec<String> {
    let mut statements = Vec::new();
    for entry in fs::read_dir(store).expect("the folder of the store") {
        let path = entry.expect("an entry").path();
        let source = fs::read_to_string(&path).expect("a source file");
        let before = statements.len();
        for verb in ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "] {
            for (start, _) in source.match_indices(&format!("\"{verb}")) {
                let literal = &source[start + 1..];
                let literal = &literal[..literal.find('"').expect("a closed literal")];
                let statement: String = literal.split("\\\n").map(str::trim_start).collect();
                let keys: Vec<String> = (1..=500).map(|number| format!("${number}")).collect();
                statements.push(statement.replace("{rows_max}", "1").replace("{keys}", &keys.join(", ")));
            }
        }
        let calls = source.matches("sqlx::query").count() - source.matches("sqlx::query::").count();
        assert_eq!(statements.len() - before, calls, "{}: a statement that this test does not see", path.display());
    }
    statements
}

/// Prepares every statement of a `store` folder on both databases.
///
/// # Panics
/// If either database rejects a statement.
pub async fn assert_statements_are_portable(store: &Path, sets: &[&Migrations]) {
    let statements = statements(store);
    assert!(!statements.is_empty());
    for kind in BOTH {
        let db = match kind {
            DatabaseKind::Sqlite => TempDb::of_kind(kind, sets).await,
            // Explicitly prepared statements are named, which a transaction pooler does not support.
            DatabaseKind::Postgres => TempDb::on_server(sets).await,
        };
        let mut read = db.db().read().await.expect("a connection");
        for statement in &statements {
            let sql = AssertSqlSafe(statement.clone()).into_sql_str();
            let prepared = on_db!(read.conn(), c => c.prepare(sql).await.map(drop));
            assert!(prepared.is_ok(), "{kind}: {statement}: {prepared:?}");
        }
    }
}

/// Compares the tables that these migrations create on both databases: columns with nullability and kind, index columns
/// and uniqueness, and foreign keys. Returns the names of the tables.
///
/// # Panics
/// If they differ.
pub async fn assert_schemas_agree(sets: &[&Migrations]) -> BTreeSet<String> {
    let mut found = Vec::new();
    for kind in BOTH {
        let db = TempDb::of_kind(kind, sets).await;
        let mut read = db.db().read().await.expect("a connection");
        let columns = columns(read.conn()).await;
        found.push((columns, indexes(read.conn()).await, references(read.conn()).await));
    }
    assert_eq!(found[0], found[1]);
    let (columns, ..) = found.remove(0);
    columns.into_iter().map(|(table, ..)| table).collect()
}

/// Table, column, whether it is NOT NULL, and its kind of content.
type Column = (String, String, bool, &'static str);

async fn columns(conn: Conn<'_>) -> BTreeSet<Column> {
    let catalogue = match conn.kind() {
        DatabaseKind::Sqlite => {
            "SELECT tables.name, columns.name, CAST(columns.\"notnull\" AS INTEGER), lower(columns.type) \
             FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns \
             WHERE tables.type IN ('table', 'view') AND tables.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        }
        DatabaseKind::Postgres => {
            "SELECT table_name::text, column_name::text, (is_nullable = 'NO')::integer, data_type::text \
             FROM information_schema.columns WHERE table_schema = current_schema()"
        }
    };
    let rows: Vec<(String, String, i32, String)> =
        on_db!(conn, c => sqlx::query_as(catalogue).fetch_all(c).await).expect("a catalogue");
    rows.into_iter()
        .filter(|(table, ..)| !is_ours(table))
        .map(|(table, column, not_null, kind)| {
            let holds = match kind.as_str() {
                "blob" | "uuid" | "bytea" => "bytes",
                "text" => "text",
                "integer" | "bigint" => "number",
                other => panic!("{table}.{column} is of the unexpected type {other}"),
            };
            (table, column, not_null == 1, holds)
        })
        .collect()
}

/// Returns whether the table is the driver's record of migrations.
fn is_ours(table: &str) -> bool {
    table.starts_with('_')
}

/// Table, whether the index is unique, and its columns in order. Names are left out, because the databases name
/// constraint indexes differently.
async fn indexes(conn: Conn<'_>) -> BTreeSet<(String, bool, String)> {
    let catalogue = match conn.kind() {
        DatabaseKind::Sqlite => {
            "SELECT tables.name, CAST(indexes.\"unique\" AS INTEGER), \
                    (SELECT group_concat(name, ',') FROM (SELECT name FROM pragma_index_info(indexes.name) ORDER BY seqno)) \
             FROM sqlite_master AS tables, pragma_index_list(tables.name) AS indexes WHERE tables.type = 'table' \
             UNION SELECT tables.name, 1, columns.name FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns \
             WHERE tables.type = 'table' AND columns.pk = 1 \
               AND NOT EXISTS (SELECT 1 FROM pragma_table_info(tables.name) AS more WHERE more.pk = 2)"
        }
        DatabaseKind::Postgres => {
            "SELECT tables.relname::text, indexes.indisunique::integer, \
                    string_agg(columns.attname::text, ',' ORDER BY place.number) \
             FROM pg_index AS indexes JOIN pg_class AS tables ON tables.oid = indexes.indrelid \
             JOIN pg_namespace AS spaces ON spaces.oid = tables.relnamespace AND spaces.nspname = current_schema() \
             CROSS JOIN LATERAL unnest(indexes.indkey) WITH ORDINALITY AS place (attribute, number) \
             JOIN pg_attribute AS columns ON columns.attrelid = tables.oid AND columns.attnum = place.attribute \
             GROUP BY tables.relname, indexes.indexrelid, indexes.indisunique"
        }
    };
    let rows: Vec<(String, i32, String)> =
        on_db!(conn, c => sqlx::query_as(catalogue).fetch_all(c).await).expect("a catalogue");
    rows.into_iter()
        .filter(|(table, ..)| !is_ours(table))
        .map(|(table, unique, columns)| (table, unique == 1, columns))
        .collect()
}

/// Table, column, referenced table, and the action when the referenced row is deleted.
async fn references(conn: Conn<'_>) -> BTreeSet<(String, String, String, String)> {
    let catalogue = match conn.kind() {
        DatabaseKind::Sqlite => {
            "SELECT tables.name, keys.\"from\", keys.\"table\", keys.on_delete \
             FROM sqlite_master AS tables, pragma_foreign_key_list(tables.name) AS keys WHERE tables.type = 'table'"
        }
        DatabaseKind::Postgres => {
            "SELECT keys.conrelid::regclass::text, columns.attname::text, keys.confrelid::regclass::text, \
                    CASE keys.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END \
             FROM pg_constraint AS keys JOIN pg_attribute AS columns \
               ON columns.attrelid = keys.conrelid AND columns.attnum = ANY (keys.conkey) \
             JOIN pg_namespace AS spaces ON spaces.oid = keys.connamespace AND spaces.nspname = current_schema() \
             WHERE keys.contype = 'f'"
        }
    };
    on_db!(conn, c => sqlx::query_as(catalogue).fetch_all(c).await).expect("a catalogue").into_iter().collect()
}
