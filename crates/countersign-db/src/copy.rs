//! Decides how the rows of one database come into another, of either kind: table by table in the order of the keys, in
//! batches of one transaction each, so that a copy which was cut off goes on where it was; and none of it is believed before
//! all of it has been read again and compared.

mod counters;
mod held;
mod rows;
mod tables;
mod value;
mod verify;

pub use held::HeldDb;

use futures_util::TryStreamExt as _;

use crate::{DbError, MigrateError, Migrations};
use rows::{BYTES_MAX, Row};
use tables::{Side, Table, strangers, tables};
use verify::Findings;

/// A table that triggers fill when the rows of others are copied; it is compared, and not copied itself.
#[derive(Clone, Copy, Debug)]
pub struct DerivedTable {
    /// Its name.
    pub name: &'static str,
    /// What has to be the same in both databases.
    pub compared: Compared,
}

/// What has to be the same of a table that triggers fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Every row.
    Rows,
    /// The sum of this column: what it is divided into differs between SQLite and PostgreSQL.
    Sum(&'static str),
}

/// What is copied.
#[derive(Clone, Copy, Debug)]
pub struct CopyPlan<'p> {
    /// The migrations that both databases have, all of them.
    pub sets: &'p [&'p Migrations],
    /// Those of their tables that triggers fill.
    pub derived: &'p [DerivedTable],
    /// What the target is.
    pub target: CopyTarget,
}

/// What a target is, before anything is copied into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyTarget {
    /// Its schema has just been made: rows that are in it are those that the migrations make, and give way.
    JustMade,
    /// Rows that are in it may be somebody's.
    Existing,
}

/// What became of a copy.
#[derive(Debug)]
pub struct Copied {
    /// Tables that were copied or compared.
    pub tables: usize,
    /// Rows of the source.
    pub rows: u64,
    /// How many of them an earlier copy that was cut off had left.
    pub rows_found: u64,
    /// The first of the differences that were found at the end; if there is any, the target stays out of use.
    pub differences: Vec<Difference>,
    /// How many there are in all.
    pub differences_count: u64,
}

/// A place in which the two databases are not the same. What is there is not told.
#[derive(Debug)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// The row's key, where it is about a row.
    pub key: Option<String>,
    /// How they differ.
    pub differs: Differs,
}

/// How two databases differ.
#[derive(Debug, PartialEq, Eq)]
pub enum Differs {
    /// The target lacks the row.
    Missing,
    /// The source has no such row.
    Surplus,
    /// The values of this column.
    Column(String),
    /// The sums of this column.
    Sum(&'static str),
    /// The target's row refers to one that does not exist.
    Reference,
}

/// Why a database was not copied. What was copied before is in the target, and an equal call goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// Both addresses lead to the same database.
    #[error("the source and the target are the same database")]
    Same,
    /// The target has rows that no copy put there.
    #[error("the target has rows already, in the table {table}")]
    Occupied {
        /// The first such table.
        table: String,
    },
    /// The target has a part of a copy of another database.
    #[error("the target has a part of a copy of another database ({source_name})")]
    OtherSource {
        /// The other one.
        source_name: String,
    },
    /// The two databases do not have a table alike.
    #[error("the two databases do not have the same table {table}")]
    Unlike {
        /// The table.
        table: String,
    },
    /// Rows of a table cannot be told apart.
    #[error("the table {table} has no primary key")]
    Keyless {
        /// The table.
        table: String,
    },
    /// No order of the tables has all of them after those that they refer to.
    #[error("tables refer to one another in a circle")]
    Circle,
    /// A column is of a type whose values are not known here.
    #[error("the column {column} of the table {table} is of the type {data_type}, which is not copied")]
    UnknownType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The database's name of the type.
        data_type: String,
    },
    /// The source has tables of a host application that this program is not.
    #[error("the source has tables of `{set}`, which this program does not know")]
    StrangeSet {
        /// The set.
        set: String,
    },
    /// A value that the target cannot store.
    #[error("the row {key} of the table {table} has a value in its column {column} which {reason}")]
    Unfit {
        /// The table.
        table: String,
        /// The row's key.
        key: String,
        /// The column.
        column: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The target refused a row.
    #[error("the target refused the row {key} of the table {table}")]
    Refused {
        /// The table.
        table: String,
        /// The row's key.
        key: String,
        /// Why.
        #[source]
        source: DbError,
    },
    /// The migrations cannot be applied to a database in memory.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// One of the databases could not be asked.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<sqlx::Error> for CopyError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// Copies all rows from one database into the other, and compares them. Before that, `left_behind` is told of the source's
/// tables that are not ours; and meanwhile `progress` of how far it has come, in steps done and steps in all.
///
/// # Errors
/// See [`CopyError`]. No row of the source is ever changed.
pub async fn copy(
    source: &mut HeldDb,
    target: &mut HeldDb,
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
        // Once to copy, once to compare.
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

/// A copy under way.
struct Copying<'c> {
    source: &'c mut HeldDb,
    target: &'c mut HeldDb,
    done: u64,
    all: u64,
}

impl Copying<'_> {
    /// Copies the rows of one table that come after those that the target has; how many that were.
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
                // That it is at the end is told once, when it has been compared.
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
        /// So many rows, one more cell or none.
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
