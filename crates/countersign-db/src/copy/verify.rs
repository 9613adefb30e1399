//! Verifies a copy: reads every row from both databases in key order, and compares every value.

use std::cmp::Ordering;

use futures_util::TryStreamExt as _;

use super::rows::Row;
use super::tables::{Side, Table};
use super::{Compared, CopyError, Difference, Differs};
use crate::{Conn, DbError};

/// Maximum differences kept in detail; beyond it they are only counted.
const DIFFERENCES_KEPT_MAX: usize = 20;

/// The differences found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) kept: Vec<Difference>,
    pub(super) count: u64,
}

impl Findings {
    fn add(&mut self, table: &Table, row: Option<&Row>, differs: Differs) {
        self.count += 1;
        if self.kept.len() < DIFFERENCES_KEPT_MAX {
            let key = row.map(|row| table.shown_key(row));
            self.kept.push(Difference { table: table.name.clone(), key, differs });
        }
    }

    /// Adds a dangling reference from the given table.
    pub(super) fn add_reference(&mut self, table: String) {
        self.count += 1;
        self.kept.push(Difference { table, key: None, differs: Differs::Reference });
    }
}

/// Compares one table, and calls `seen` for each row of the source.
pub(super) async fn compare(
    source: Conn<'_>,
    target: Conn<'_>,
    table: &Table,
    findings: &mut Findings,
    mut seen: impl FnMut(),
) -> Result<(), CopyError> {
    if let Some(Compared::Sum(column)) = table.derived {
        if table.sum(source, column).await? != table.sum(target, column).await? {
            findings.add(table, None, Differs::Sum(column));
        }
        return Ok(());
    }
    let mut from = table.rows(source, Side::Source, None);
    let mut to = table.rows(target, Side::Target, None);
    let (mut one, mut two) = (from.try_next().await?, to.try_next().await?);
    loop {
        let order = match (&one, &two) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(two)) => order(table, one, two),
        };
        match (order, &one, &two) {
            (Ordering::Equal, Some(one), Some(two)) => {
                for (place, column) in table.columns.iter().enumerate() {
                    if one[place].order(&two[place]) != Ordering::Equal {
                        findings.add(table, Some(one), Differs::Column(column.name.clone()));
                    }
                }
            }
            (Ordering::Less, row, _) => findings.add(table, row.as_ref(), Differs::Missing),
            (_, _, row) => findings.add(table, row.as_ref(), Differs::Surplus),
        }
        if order != Ordering::Greater {
            seen();
            one = from.try_next().await?;
        }
        if order != Ordering::Less {
            two = to.try_next().await?;
        }
    }
}

fn order(table: &Table, one: &Row, two: &Row) -> Ordering {
    let keys = table.key.iter().map(|&place| one[place].order(&two[place]));
    keys.fold(Ordering::Equal, Ordering::then)
}

/// Returns the first table of an SQLite database with a dangling reference.
pub(super) async fn broken_reference(target: Conn<'_>) -> Result<Option<String>, DbError> {
    match target {
        Conn::Sqlite(conn) => {
            let select = "SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1";
            Ok(sqlx::query_scalar(select).fetch_optional(conn).await?)
        }
        // PostgreSQL does not permit dangling references.
        Conn::Postgres(_) => Ok(None),
    }
}
