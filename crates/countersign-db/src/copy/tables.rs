//! The tables to copy, their order, and the check that both databases define them alike.
//!
//! The list comes from applying the migrations to an in-memory database. Other tables in the two databases do not
//! belong to us.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};

use super::value::{Storage, Value};
use super::{Compared, CopyError, DerivedTable};
use crate::migrate::apply;
use crate::{Conn, DatabaseKind, DbError, Migrations, on_db};

/// A table that both databases have.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Indexes of the primary key's columns, in key order.
    pub(super) key: Vec<usize>,
    /// How the table is compared, if triggers fill it.
    pub(super) derived: Option<Compared>,
    /// Whether SQLite counts its keys (`AUTOINCREMENT`).
    pub(super) is_counted: bool,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) source: Storage,
    pub(super) target: Storage,
}

/// Which of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Source,
    Target,
}

impl Column {
    pub(super) fn storage(&self, side: Side) -> Storage {
        match side {
            Side::Source => self.source,
            Side::Target => self.target,
        }
    }
}

impl Table {
    pub(super) fn quoted_name(&self) -> String {
        quoted(&self.name)
    }

    /// Returns all columns, quoted for a statement.
    pub(super) fn quoted_columns(&self) -> String {
        self.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
    }

    /// Returns the key's columns, compared bytewise so that both databases sort alike.
    pub(super) fn ordered_key(&self, kind: DatabaseKind, side: Side) -> Vec<String> {
        let ordered = |&place: &usize| {
            let column = &self.columns[place];
            let collation = match (kind, column.storage(side)) {
                (DatabaseKind::Sqlite, _) => " COLLATE BINARY",
                (DatabaseKind::Postgres, Storage::Text) => " COLLATE \"C\"",
                (DatabaseKind::Postgres, _) => "",
            };
            format!("{}{collation}", quoted(&column.name))
        };
        self.key.iter().map(ordered).collect()
    }

    /// Returns the row's key, in readable form.
    pub(super) fn shown_key(&self, row: &[Value]) -> String {
        self.key.iter().map(|&place| row[place].shown()).collect::<Vec<_>>().join(", ")
    }
}

pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table as the migrations create it.
struct Made {
    key: Vec<String>,
    refers_to: Vec<String>,
    is_counted: bool,
}

/// Returns all tables of these migrations, each after the tables it refers to.
pub(super) async fn tables(
    sets: &[&Migrations],
    derived: &[DerivedTable],
    source: Conn<'_>,
    target: Conn<'_>,
) -> Result<Vec<Table>, CopyError> {
    let made = made_tables(sets).await?;
    let mut source = columns(source).await?;
    let mut target = columns(target).await?;
    let mut tables = Vec::with_capacity(made.len());
    for name in parents_first(&made)? {
        let unlike = || CopyError::Unlike { table: name.clone() };
        let (from, to) = (source.remove(&name).ok_or_else(unlike)?, target.remove(&name).ok_or_else(unlike)?);
        if !from.keys().eq(to.keys()) {
            return Err(unlike());
        }
        let known = |column: &str, found: Found| {
            let unknown = || CopyError::UnknownType {
                table: name.clone(),
                column: column.to_owned(),
                data_type: found.data_type.clone(),
            };
            found.storage.ok_or_else(unknown)
        };
        let mut columns = Vec::with_capacity(from.len());
        for ((column, source), target) in from.into_iter().zip(to.into_values()) {
            let (source, target) = (known(&column, source)?, known(&column, target)?);
            columns.push(Column { name: column, source, target });
        }
        let Made { key, is_counted, .. } = &made[&name];
        let key: Option<Vec<usize>> =
            key.iter().map(|wanted| columns.iter().position(|column| column.name == *wanted)).collect();
        let key = key.filter(|key| !key.is_empty()).ok_or_else(|| CopyError::NoPrimaryKey { table: name.clone() })?;
        let derived = derived.iter().find(|table| table.name == name).map(|table| table.compared);
        tables.push(Table { columns, key, derived, is_counted: *is_counted, name });
    }
    Ok(tables)
}

async fn made_tables(sets: &[&Migrations]) -> Result<BTreeMap<String, Made>, CopyError> {
    let mut conn = SqliteConnectOptions::new().in_memory(true).disable_statement_logging().connect().await?;
    apply(sets, Conn::Sqlite(&mut conn)).await.map_err(CopyError::Migrate)?;
    let names: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .fetch_all(&mut conn)
    .await?;
    let mut made = BTreeMap::new();
    for (name, sql) in names.into_iter().filter(|(name, _)| !is_record_of_migrations(name)) {
        let key = names_of(&mut conn, "SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk", &name).await?;
        let refers_to =
            names_of(&mut conn, "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list($1)", &name).await?;
        let is_counted = sql.to_ascii_uppercase().contains("AUTOINCREMENT");
        made.insert(name, Made { key, refers_to, is_counted });
    }
    Ok(made)
}

async fn names_of(conn: &mut SqliteConnection, statement: &'static str, table: &str) -> Result<Vec<String>, DbError> {
    Ok(sqlx::query_scalar(statement).bind(table).fetch_all(conn).await?)
}

/// Returns whether the table is a migration record: each program writes its own, with the time when each step was
/// applied.
fn is_record_of_migrations(table: &str) -> bool {
    table.starts_with('_') && table.ends_with("_migrations")
}

fn parents_first(made: &BTreeMap<String, Made>) -> Result<Vec<String>, CopyError> {
    let mut order: Vec<String> = Vec::with_capacity(made.len());
    while order.len() < made.len() {
        let is_free = |(name, table): &(&String, &Made)| {
            !order.contains(*name) && table.refers_to.iter().all(|parent| parent == *name || order.contains(parent))
        };
        let Some((name, _)) = made.iter().find(is_free) else {
            return Err(CopyError::ReferenceCycle);
        };
        order.push(name.clone());
    }
    Ok(order)
}

/// A column as found in a database.
struct Found {
    data_type: String,
    storage: Option<Storage>,
}

/// Returns the columns of every table in a database, except generated columns.
async fn columns(conn: Conn<'_>) -> Result<BTreeMap<String, BTreeMap<String, Found>>, DbError> {
    let kind = conn.kind();
    let catalogue = match kind {
        DatabaseKind::Sqlite => {
            "SELECT tables.name, columns.name, columns.type \
             FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'"
        }
        DatabaseKind::Postgres => {
            "SELECT columns.table_name::text, columns.column_name::text, columns.data_type::text \
             FROM information_schema.columns AS columns JOIN information_schema.tables AS tables \
               ON tables.table_schema = columns.table_schema AND tables.table_name = columns.table_name \
             WHERE columns.table_schema = current_schema() AND tables.table_type = 'BASE TABLE' \
               AND columns.is_generated = 'NEVER'"
        }
    };
    let rows: Vec<(String, String, String)> = on_db!(conn, c => sqlx::query_as(catalogue).fetch_all(c).await)?;
    let mut tables: BTreeMap<String, BTreeMap<String, Found>> = BTreeMap::new();
    for (table, column, data_type) in rows {
        let storage = match kind {
            DatabaseKind::Sqlite => Some(Storage::Dynamic),
            DatabaseKind::Postgres => Storage::of_postgres(&data_type),
        };
        tables.entry(table).or_default().insert(column, Found { data_type, storage });
    }
    Ok(tables)
}

/// Returns the source's tables that are not copied because they are not ours.
///
/// # Errors
/// [`CopyError::UnknownSet`] if they belong to a host application that this program does not include.
pub(super) async fn strangers(conn: Conn<'_>, sets: &[&Migrations], ours: &[Table]) -> Result<Vec<String>, CopyError> {
    let catalogue = match conn.kind() {
        DatabaseKind::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        }
        DatabaseKind::Postgres => {
            "SELECT table_name::text FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name"
        }
    };
    let mut names: Vec<String> =
        on_db!(conn, c => sqlx::query_scalar(catalogue).fetch_all(c).await).map_err(DbError::from)?;
    names.retain(|name| ours.iter().all(|table| table.name != *name) && sets.iter().all(|set| set.table() != *name));
    match names.iter().find(|name| is_record_of_migrations(name) && *name != OF_OTHER_PROGRAMS) {
        Some(name) => {
            Err(CopyError::UnknownSet { set: name.trim_start_matches('_').trim_end_matches("_migrations").to_owned() })
        }
        None => Ok(names),
    }
}

/// The driver's default record table: another application may keep its tables in the same database.
const OF_OTHER_PROGRAMS: &str = "_sqlx_migrations";
