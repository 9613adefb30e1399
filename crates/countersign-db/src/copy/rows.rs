//! Reads and writes the rows of one table: in key order, as a stream, with many rows per statement.

use futures_util::stream::{BoxStream, StreamExt as _};
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use super::tables::{Side, Table, quoted};
use super::value::Value;
use crate::{Conn, DatabaseKind, DbError, on_db};

/// The values of a row, in the table's column order.
pub(super) type Row = Vec<Value>;

/// Maximum rows per statement, and per transaction.
const ROWS_MAX: usize = 500;
/// Maximum values per statement; SQLite allows 32,766.
const VALUES_MAX: usize = 30_000;
/// Maximum bytes of the rows in one statement; the last row may exceed it.
pub(super) const BYTES_MAX: usize = 4 << 20;

/// Marks SQL as safe: the names in it are quoted and come from the database's own catalogue.
fn statement(text: String) -> SqlStr {
    AssertSqlSafe(text).into_sql_str()
}

/// Returns placeholders such as `$1, $2, $3`.
fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

impl Table {
    /// Returns the maximum number of rows per statement.
    pub(super) fn rows_max(&self) -> usize {
        (VALUES_MAX / self.columns.len()).clamp(1, ROWS_MAX)
    }

    pub(super) async fn count(&self, conn: Conn<'_>) -> Result<u64, DbError> {
        let select = statement(format!("SELECT COUNT(*) FROM {}", self.quoted_name()));
        let count: i64 = on_db!(conn, c => sqlx::query_scalar(select).fetch_one(c).await)?;
        Ok(count.unsigned_abs())
    }

    pub(super) async fn is_empty(&self, conn: Conn<'_>) -> Result<bool, DbError> {
        let select = statement(format!("SELECT 1 FROM {} LIMIT 1", self.quoted_name()));
        Ok(on_db!(conn, c => sqlx::query(select).fetch_optional(c).await.map(|row| row.is_none()))?)
    }

    pub(super) async fn delete_all(&self, conn: Conn<'_>) -> Result<(), DbError> {
        let delete = statement(format!("DELETE FROM {}", self.quoted_name()));
        Ok(on_db!(conn, c => sqlx::query(delete).execute(c).await.map(drop))?)
    }

    /// Returns the sum of one column.
    pub(super) async fn sum(&self, conn: Conn<'_>, column: &str) -> Result<i64, DbError> {
        let column = quoted(column);
        let select =
            statement(format!("SELECT CAST(COALESCE(SUM({column}), 0) AS BIGINT) FROM {}", self.quoted_name()));
        Ok(on_db!(conn, c => sqlx::query_scalar(select).fetch_one(c).await)?)
    }

    /// Returns the rows in key order: all of them, or those after a given row.
    pub(super) fn rows<'c>(
        &'c self,
        conn: Conn<'c>,
        side: Side,
        after: Option<&Row>,
    ) -> BoxStream<'c, Result<Row, DbError>> {
        let key = self.ordered_key(conn.kind(), side);
        let beyond = match after {
            Some(_) => format!(" WHERE ({}) > ({})", key.join(", "), placeholders(1, key.len())),
            None => String::new(),
        };
        let (name, columns) = (self.quoted_name(), self.quoted_columns());
        let select = statement(format!("SELECT {columns} FROM {name}{beyond} ORDER BY {}", key.join(", ")));
        let places = if after.is_some() { &self.key[..] } else { &[] };
        let bound = places.iter().filter_map(|&place| Some((&self.columns[place], &after?[place])));
        match conn {
            Conn::Sqlite(conn) => {
                let query = bound.fold(sqlx::query(select), |query, (_, value)| value.bind_sqlite(query));
                let rows = query.fetch(conn).map(move |row| {
                    let row = row?;
                    let values = (0..self.columns.len()).map(|place| Value::of_sqlite(&row, place));
                    Ok(values.collect::<Result<Row, sqlx::Error>>()?)
                });
                rows.boxed()
            }
            Conn::Postgres(conn) => {
                let query = bound.fold(sqlx::query(select), |query, (column, value)| {
                    value.bind_postgres(query, column.storage(side))
                });
                let rows = query.fetch(conn).map(move |row| {
                    let row = row?;
                    let values = self.columns.iter().enumerate();
                    let values = values.map(|(place, column)| Value::of_postgres(&row, place, column.storage(side)));
                    Ok(values.collect::<Result<Row, sqlx::Error>>()?)
                });
                rows.boxed()
            }
        }
    }

    /// Returns the target's row with the greatest key.
    pub(super) async fn last_row(&self, conn: Conn<'_>) -> Result<Option<Row>, DbError> {
        let kind = conn.kind();
        let key = self.ordered_key(kind, Side::Target);
        let (name, columns) = (self.quoted_name(), self.quoted_columns());
        let descending = key.iter().map(|column| format!("{column} DESC")).collect::<Vec<_>>().join(", ");
        let select = statement(format!("SELECT {columns} FROM {name} ORDER BY {descending} LIMIT 1"));
        let values = match conn {
            Conn::Sqlite(conn) => sqlx::query(select).fetch_optional(conn).await?.map(|row| {
                (0..self.columns.len()).map(|place| Value::of_sqlite(&row, place)).collect::<Result<Row, _>>()
            }),
            Conn::Postgres(conn) => sqlx::query(select).fetch_optional(conn).await?.map(|row| {
                let values = self.columns.iter().enumerate();
                values.map(|(place, column)| Value::of_postgres(&row, place, column.target)).collect::<Result<Row, _>>()
            }),
        };
        Ok(values.transpose()?)
    }

    /// Inserts rows into the target in one statement.
    pub(super) async fn insert(&self, conn: Conn<'_>, rows: &[Row]) -> Result<(), DbError> {
        let overriding = match conn.kind() {
            DatabaseKind::Sqlite => "",
            // Without this, PostgreSQL refuses explicit values for an identity column.
            DatabaseKind::Postgres => "OVERRIDING SYSTEM VALUE ",
        };
        let width = self.columns.len();
        let (name, columns) = (self.quoted_name(), self.quoted_columns());
        let tuples: Vec<String> =
            (0..rows.len()).map(|row| format!("({})", placeholders(row * width + 1, width))).collect();
        let insert = statement(format!("INSERT INTO {name} ({columns}) {overriding}VALUES {}", tuples.join(", ")));
        // A statement with fewer rows is a table's last one and does not recur.
        let is_kept = rows.len() == self.rows_max();
        let values = rows.iter().flat_map(|row| self.columns.iter().zip(row));
        match conn {
            Conn::Sqlite(conn) => {
                let query = values.fold(sqlx::query(insert), |query, (_, value)| value.bind_sqlite(query));
                query.persistent(is_kept).execute(conn).await?;
            }
            Conn::Postgres(conn) => {
                let query = values
                    .fold(sqlx::query(insert), |query, (column, value)| value.bind_postgres(query, column.target));
                query.persistent(is_kept).execute(conn).await?;
            }
        }
        Ok(())
    }
}
