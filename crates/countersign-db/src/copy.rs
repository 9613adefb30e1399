//! Copies all rows of one database into another, of either kind. Tables are copied in key order, in batches of one
//! transaction each, so an interrupted copy can resume. The copy counts as complete only after every row has been read
//! again and compared.

mod counters;
mod held;
mod rows;
mod tables;
mod value;
mod verify;

pub use held::ExclusiveDb;

use futures_util::TryStreamExt as _;

use crate::{DbError, MigrateError, Migrations};
use rows::{BYTES_MAX, Row};
use tables::{Side, Table, strangers, tables};
use verify::Findings;

/// A table that triggers fill while other tables are copied. It is compared, but not copied.
#[derive(Clone, Copy, Debug)]
pub struct DerivedTable {
    /// The table's name.
    pub name: &'static str,
    /// What must be equal in both databases.
    pub compared: Compared,
}

/// What must be equal for a table that triggers fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Every row.
    Rows,
    /// The sum of this column: how it is split into rows differs between SQLite and PostgreSQL.
    Sum(&'static str),
}

/// The parameters of a copy.
#[derive(Clone, Copy, Debug)]
pub struct CopyPlan<'p> {
    /// All migration sets that both databases have.
    pub sets: &'p [&'p Migrations],
    /// The tables that triggers fill.
    pub derived: &'p [DerivedTable],
    /// The state of the target.
    pub target: CopyTarget,
}

/// The state of a target before the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyTarget {
    /// Its schema was just created: existing rows come from the migrations and are replaced.
    JustMade,
    /// Existing rows may be real data, so that the copy is refused if there are any.
    Existing,
}

/// The result of a copy.
#[derive(Debug)]
pub struct Copied {
    /// Number of tables that were copied or compared.
    pub tables: usize,
    /// Number of rows in the source.
    pub rows: u64,
    /// Number of rows that an earlier, interrupted copy had already written.
    pub rows_found: u64,
    /// The first differences found by the final comparison. If there are any, the target stays marked as incomplete.
    pub differences: Vec<Difference>,
    /// Total number of differences.
    pub differences_count: u64,
}

/// A difference between the two databases, without the values.
#[derive(Debug)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The row's key, if the difference concerns one row.
    pub key: Option<String>,
    /// The kind of difference.
    pub differs: Differs,
}

/// The kind of difference between two databases.
#[derive(Debug, PartialEq, Eq)]
pub enum Differs {
    /// The target lacks the row.
    Missing,
    /// The source has no such row.
    Surplus,
    /// The values of this column differ.
    Column(String),
    /// The sums of this column differ.
    Sum(&'static str),
    /// The target's row refers to a row that does not exist.
    Reference,
}

/// Why a copy failed. The rows copied so far stay in the target, and the same call resumes from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// Both addresses lead to the same database.
    #[error("the source and the target are the same database")]
    Same,
    /// The target has rows that did not come from a copy.
    #[error("the target has rows already, in the table {table}")]
    Occupied {
        /// The first such table.
        table: String,
    },
    /// The target holds part of a copy of another database.
    #[error("the target has a part of a copy of another database ({source_name})")]
    OtherSource {
        /// The name of the other database.
        source_name: String,
    },
    /// A table is missing in one database, or differs between them.
    #[error("the two databases do not have the same table {table}")]
    Unlike {
        /// The table.
        table: String,
    },
    /// A table has no primary key, so its rows cannot be identified.
    #[error("the table {table} has no primary key")]
    NoPrimaryKey {
        /// The table.
        table: String,
    },
    /// The tables' references form a cycle.
    #[error("tables refer to one another in a circle")]
    ReferenceCycle,
    /// A column has a type that the copy does not support.
    #[error("the column {column} of the table {table} is of the type {data_type}, which is not copied")]
    UnknownType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The database's name for the type.
        data_type: String,
    },
    /// The source has tables of a host application that this program does not include.
    #[error("the source has tables of `{set}`, which this program does not know")]
    UnknownSet {
        /// The name of the migration set.
        set: String,
    },
    /// The target cannot store a value.
    #[error("the row {key} of the table {table} has a value in its column {column} which {reason}")]
    Unfit {
        /// The table.
        table: String,
        /// The row's key.
        key: String,
        /// The column.
        column: String,
        /// Why the target cannot store the value.
        reason: &'static str,
    },
    /// The target refused a row.
    #[error("the target refused the row {key} of the table {table}")]
    Refused {
        /// The table.
        table: String,
        /// The row's key.
        key: String,
        /// The database's error.
        #[source]
        source: DbError,
    },
    /// The migrations could not be applied to an in-memory database.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// A query on one of the databases failed.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for CopyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Copies all rows from one database into the other, and compares them. Calls `left_behind` first, with the source's
/// tables that are not copied. Calls `progress` along the way, with the steps done and the total.
///
/// # Errors
/// See [`CopyError`]. The source is never changed.
pub async fn copy(
    source: &mut ExclusiveDb,
    target: &mut ExclusiveDb,
    plan: &CopyPlan<'_>,
    left_behind: impl FnOnce(&[String]),
    mut progress: impl FnMut(u64, u64),
) -> Result<Copied, CopyError> {
    if source.incarnation().await? == target.incarnation().await? {
        return Err(CopyError::Same);
    }
    let tables = tables(plan.sets, plan.derived, source.conn(), target.conn()).await?;
    left_behind(&strangers(source.conn(), plan.sets, &tables).await?);
    source.hold_still(&tables).await?;
    target.take_in(&source.name().await?, &tables, plan.target).await?;

    let mut copying = Copying { source, target, done: 0, all: 0 };
    let (mut rows, mut rows_found) = (0, 0);
    for table in &tables {
        let count = table.count(copying.source.conn()).await?;
        rows += count;
        // One step for copying, one for comparing.
        copying.all += if table.derived.is_some() { count } else { 2 * count };
    }
    for table in tables.iter().filter(|table| table.derived.is_none()) {
        rows_found += copying.copy(table, &mut progress).await?;
    }
    copying.target.begin().await?;
    for table in &tables {
        counters::carry_over(copying.source.conn(), copying.target.conn(), table).await?;
    }
    copying.target.commit().await?;
    let mut findings = Findings::default();
    for table in &tables {
        copying.compare(table, &mut findings, &mut progress).await?;
    }
    if let Some(table) = verify::broken_reference(copying.target.conn()).await? {
        findings.add_reference(table);
    }
    progress(copying.all, copying.all);
    if findings.count == 0 {
        copying.target.release().await?;
    }
    let Findings { kept, count } = findings;
    Ok(Copied { tables: tables.len(), rows, rows_found, differences: kept, differences_count: count })
}

/// A copy in progress.
struct Copying<'c> {
    source: &'c mut ExclusiveDb,
    target: &'c mut ExclusiveDb,
    done: u64,
    all: u64,
}

impl Copying<'_> {
    /// Copies the rows of one table that follow those in the target. Returns the number of rows that the target already
    /// had.
    async fn copy(&mut self, table: &Table, progress: &mut impl FnMut(u64, u64)) -> Result<u64, CopyError> {
        let found = table.count(self.target.conn()).await?;
        let last = table.last_row(self.target.conn()).await?;
        self.done += found;
        let mut rows = table.rows(self.source.conn(), Side::Source, last.as_ref());
        let (mut batch, mut bytes): (Vec<Row>, usize) = (Vec::new(), 0);
        loop {
            let row = rows.try_next().await?;
            let is_last = row.is_none();
            if let Some(row) = row {
                refuse_unfit(table, &row)?;
                bytes += row.iter().map(value::Value::size_bytes).sum::<usize>();
                batch.push(row);
            }
            if batch.len() == table.rows_max() || bytes >= BYTES_MAX || (is_last && !batch.is_empty()) {
                self.target.write(table, &batch).await?;
                self.done += batch.len() as u64;
                // Only the end of the comparison reports completion.
                progress(self.done, self.all.max(self.done + 1));
                batch.clear();
                bytes = 0;
            }
            if is_last {
                return Ok(found);
            }
        }
    }

    async fn compare(
        &mut self,
        table: &Table,
        findings: &mut Findings,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), CopyError> {
        /// Rows per progress report.
        const ROWS_A_STEP: u64 = 500;
        let (done, all) = (&mut self.done, self.all);
        let seen = || {
            *done += 1;
            if done.is_multiple_of(ROWS_A_STEP) {
                progress(*done, all.max(*done + 1));
            }
        };
        verify::compare(self.source.conn(), self.target.conn(), table, findings, seen).await
    }
}

fn refuse_unfit(table: &Table, row: &Row) -> Result<(), CopyError> {
    for (column, value) in table.columns.iter().zip(row) {
        if let Some(reason) = value.refusal(column.target) {
            let (table, key, column) = (table.name.clone(), table.shown_key(row), column.name.clone());
            return Err(CopyError::Unfit { table, key, column, reason });
        }
    }
    Ok(())
}
