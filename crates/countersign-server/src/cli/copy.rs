//! The `copy` command: moves an installation to another database, with the checks and messages before and after.

use countersign_db::{
    Copied, CopyError, CopyPlan, CopyTarget, DatabaseUrl, Db, DbError, Difference, Differs, ExclusiveDb, PoolPolicy,
    SchemaState, copy,
};

use super::{Failure, Finding, print_error, progress, say, settings_for};
use crate::Host;
use crate::schema::{bring_up_to_date, create_private_file, migrations, refuse_missing};
use crate::settings::Purpose;

/// The names of the two databases in messages.
const SOURCE: &str = "source";
const TARGET: &str = "target";

pub(super) async fn move_rows<H: Host>(from: Option<&str>, to: &str) -> Result<Finding, Failure> {
    let to = parse(to, "--to")?;
    let from = match from {
        Some(from) => parse(from, "--from")?,
        None => settings_for::<H>(Purpose::Inspect)?.shell.database_url,
    };
    refuse_missing::<H>(&from)?;
    refuse_same_file(&from, &to)?;
    let mut source = open(&from, SOURCE).await?;
    refuse_unready::<H>(&mut source).await?;
    let state = prepare::<H>(&to).await?;
    let mut target = open(&to, TARGET).await?;

    let sets = migrations::<H>();
    let plan = CopyPlan { sets: &sets, derived: H::DERIVED_TABLES, target: state };
    let copied = copy(&mut source, &mut target, &plan, tell_of_strangers, progress::show).await;
    let copied = copied.map_err(|error| failure::<H>(error, &to))?;
    source.close().await?;
    target.close().await?;
    Ok(report::<H>(&copied, &from, &to))
}

/// Parses a database URL. The text may contain a password, so it is not a clap parser, whose error would repeat it.
fn parse(text: &str, option: &str) -> Result<DatabaseUrl, Failure> {
    text.parse().map_err(|error| Failure(format!("{option}: {error}")))
}

/// Refuses one file under two names. Otherwise the error would say that another program uses it.
fn refuse_same_file(from: &DatabaseUrl, to: &DatabaseUrl) -> Result<(), Failure> {
    let file = |url: &DatabaseUrl| url.sqlite_path().and_then(|path| path.canonicalize().ok());
    match (file(from), file(to)) {
        (Some(from), Some(to)) if from == to => Err(CopyError::Same.into()),
        _ => Ok(()),
    }
}

async fn open(url: &DatabaseUrl, which: &str) -> Result<ExclusiveDb, Failure> {
    ExclusiveDb::open(url).await.map_err(|error| match error {
        DbError::Unavailable(_) if url.sqlite_path().is_some() => {
            Failure(format!("a program has the {which} {url} open; stop it first. Nothing was copied"))
        }
        error => {
            let Failure(reason) = error.into();
            Failure(format!("the {which} {url}: {reason}"))
        }
    })
}

/// Refuses a source whose schema is not exactly the one of this program.
async fn refuse_unready<H: Host>(source: &mut ExclusiveDb) -> Result<(), Failure> {
    if source.is_half_copied().await? {
        return Err(Failure("the source is the target of an unfinished copy".to_owned()));
    }
    for status in source.schema(&migrations::<H>()).await? {
        refuse_inexact::<H>(status.state(), SOURCE)?;
    }
    Ok(())
}

fn refuse_inexact<H: Host>(state: SchemaState, which: &str) -> Result<(), Failure> {
    let binary = H::NAME;
    Err(Failure(match state {
        SchemaState::Current => return Ok(()),
        SchemaState::Older => format!(
            "the schema of the {which} is older than this program; run `{binary} migrate up` with DATABASE_URL set to it, \
             then copy"
        ),
        SchemaState::Expanded | SchemaState::Newer => format!(
            "the schema of the {which} was made by a newer {binary}; copy with that version (this is {version})",
            version = H::VERSION
        ),
        SchemaState::Altered => format!(
            "the schema of the {which} was made by a modified {binary}; copy with an unmodified one that fits both databases"
        ),
    }))
}

/// Creates the schema in an empty target; otherwise checks that it is exactly the one of this program.
async fn prepare<H: Host>(to: &DatabaseUrl) -> Result<CopyTarget, Failure> {
    create_private_file(to)?;
    let db = Db::connect(to, &PoolPolicy::default()).await.map_err(|error| match error {
        DbError::Unavailable(_) if to.sqlite_path().is_some() => {
            Failure(format!("a program has the target {to} open; stop it first. Nothing was copied"))
        }
        error => {
            let Failure(reason) = error.into();
            Failure(format!(
                "the target {to}: {reason}; the database must exist, and its user must be allowed to create tables"
            ))
        }
    })?;
    let statuses = db.schema(&migrations::<H>()).await?;
    let is_new = statuses.iter().all(|status| status.applied.is_empty() && status.unknown.is_empty());
    if is_new {
        bring_up_to_date::<H>(&db).await?;
    }
    db.close().await;
    if is_new {
        return Ok(CopyTarget::JustMade);
    }
    for status in &statuses {
        refuse_inexact::<H>(status.state(), TARGET)?;
    }
    Ok(CopyTarget::Existing)
}

fn tell_of_strangers(tables: &[String]) {
    if !tables.is_empty() {
        print_error(&format!("warning: tables of other programs are not copied: {}", tables.join(", ")));
    }
}

fn failure<H: Host>(error: CopyError, to: &DatabaseUrl) -> Failure {
    let way_out = match &error {
        CopyError::Occupied { .. } => {
            format!("; it was left alone. Use a new database, or one on which only `{} migrate up` was run", H::NAME)
        }
        CopyError::OtherSource { .. } => {
            "; it was left alone. Continue with that source, or use a new database".to_owned()
        }
        CopyError::Unfit { .. } | CopyError::Refused { .. } => {
            "; fix it in the source, then run the same command again to resume".to_owned()
        }
        CopyError::Db(DbError::Unavailable(_)) => {
            "; make sure that the site is stopped and both databases answer, then run the same command again to resume"
                .to_owned()
        }
        _ => String::new(),
    };
    let Failure(reason) = error.into();
    Failure(format!("copying to {to}: {reason}{way_out}"))
}

fn report<H: Host>(copied: &Copied, from: &DatabaseUrl, to: &DatabaseUrl) -> Finding {
    let Copied { tables, rows, rows_found, differences, differences_count } = copied;
    for difference in differences {
        print_error(&format!("error: {}", told(difference)));
    }
    if *differences_count > 0 {
        print_error(&format!(
            "error: {differences_count} differences between {from} and {to}; no site starts on the target. Empty it \
             and copy again"
        ));
        return Finding::NotInOrder;
    }
    let found = if *rows_found > 0 { format!(", {rows_found} of them by an earlier run") } else { String::new() };
    say(format_args!("{rows} rows of {tables} tables copied from {from}{found}; each one was read back and compared"));
    let password = if to.sqlite_path().is_some() { "" } else { ", with its password," };
    say(format_args!(
        "SECRET_KEY and the pictures stay the same (to move pictures, use `{binary} media copy`). Next: set \
         DATABASE_URL to {to}{password} and run `{binary} doctor`, then `{binary} serve`. The source was not changed; \
         do not start anything on it again",
        binary = H::NAME,
    ));
    Finding::InOrder
}

/// Describes where a difference is, without the values.
fn told(difference: &Difference) -> String {
    let Difference { table, key, differs } = difference;
    let row = key.as_deref().unwrap_or_default();
    match differs {
        Differs::Missing => format!("{table}: the row {row} is missing in the target"),
        Differs::Surplus => format!("{table}: the row {row} is only in the target"),
        Differs::Column(column) => format!("{table}: the row {row} differs in the column {column}"),
        Differs::Sum(column) => format!("{table}: the sums of the column {column} differ"),
        Differs::Reference => format!("{table}: a row in the target refers to one that does not exist"),
    }
}
