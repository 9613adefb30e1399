//! Checks whether this program can use a database's schema, and migrates it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Once;

use countersign_db::{AppliedMigration, DatabaseUrl, Db, DbError, MigrateError, Migrations, SchemaState, SchemaStatus};
use tracing::info;

use crate::Host;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaProblem {
    #[error("there is no database at {url} yet; `{binary} migrate up` creates it")]
    Missing { url: DatabaseUrl, binary: &'static str },
    #[error(
        "the database's {set} schema is older than this program; run `{binary} migrate up`, or set MIGRATE_ON_START=true"
    )]
    Older { set: &'static str, binary: &'static str },
    #[error(
        "the database's {set} schema was made by a newer {binary}; install that version or a later one (this is {version})"
    )]
    Newer { set: &'static str, binary: &'static str, version: &'static str },
    #[error(
        "migration {step} of the {set} schema differs from the one applied to the database; install an unmodified {binary}"
    )]
    Altered { set: &'static str, step: i64, binary: &'static str },
    #[error("a copy into this database is unfinished; run the same `{binary} copy` again to resume it")]
    HalfCopied { binary: &'static str },
    #[error(transparent)]
    Migrate(MigrateError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Returns all sets of migrations of a host application, in the order in which they run.
pub(crate) fn migrations<H: Host>() -> Vec<&'static Migrations> {
    std::iter::once(&countersign::MIGRATIONS).chain(H::MIGRATIONS.iter().copied()).collect()
}

/// Applies pending migrations, all or none.
pub(crate) async fn bring_up_to_date<H: Host>(db: &Db) -> Result<Vec<AppliedMigration>, SchemaProblem> {
    refuse_half_copied::<H>(db).await?;
    db.migrate(&migrations::<H>()).await.map_err(|error| match error {
        MigrateError::Newer { set, .. } => SchemaProblem::Newer { set, binary: H::NAME, version: H::VERSION },
        MigrateError::Altered { set, version } => SchemaProblem::Altered { set, step: version, binary: H::NAME },
        other => SchemaProblem::Migrate(other),
    })
}

/// Logs that the schema is an expanded one, once per process.
pub(crate) fn tell_of_expansion() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        info!("the database's schema was extended by a newer version; this one keeps working with it");
    });
}

/// A schema that the program can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usable {
    /// Exactly the one that the program needs.
    Current,
    /// A newer program only added to it, so this one can still use it.
    Expanded,
}

/// Returns whether the program can use the schema.
pub(crate) async fn check<H: Host>(db: &Db) -> Result<Usable, SchemaProblem> {
    refuse_half_copied::<H>(db).await?;
    let mut usable = Usable::Current;
    for status in db.schema(&migrations::<H>()).await? {
        if verdict::<H>(&status)? == Usable::Expanded {
            usable = Usable::Expanded;
        }
    }
    Ok(usable)
}

/// Returns whether the program can use one set, or the most severe problem.
pub(crate) fn verdict<H: Host>(status: &SchemaStatus) -> Result<Usable, SchemaProblem> {
    let set = status.set;
    match status.state() {
        SchemaState::Current => Ok(Usable::Current),
        SchemaState::Expanded => Ok(Usable::Expanded),
        SchemaState::Older => Err(SchemaProblem::Older { set, binary: H::NAME }),
        SchemaState::Newer => Err(SchemaProblem::Newer { set, binary: H::NAME, version: H::VERSION }),
        SchemaState::Altered => {
            let step = status.altered.first().copied().unwrap_or_default();
            Err(SchemaProblem::Altered { set, step, binary: H::NAME })
        }
    }
}

/// Refuses a database whose copy was not completed.
pub(crate) async fn refuse_half_copied<H: Host>(db: &Db) -> Result<(), SchemaProblem> {
    if db.is_half_copied().await? { Err(SchemaProblem::HalfCopied { binary: H::NAME }) } else { Ok(()) }
}

/// Refuses an SQLite database that does not exist. Opening would create it, and a command that only shows its state
/// must not.
pub(crate) fn refuse_missing<H: Host>(url: &DatabaseUrl) -> Result<(), SchemaProblem> {
    match url.sqlite_path() {
        // A file that cannot be looked up may exist; opening it says why it cannot.
        Some(path) if matches!(path.try_exists(), Ok(false)) => {
            Err(SchemaProblem::Missing { url: url.clone(), binary: H::NAME })
        }
        _ => Ok(()),
    }
}

/// Creates the file of an SQLite database and its folder, accessible only to the owner. SQLite itself would follow the
/// umask.
pub(crate) fn create_private_file(url: &DatabaseUrl) -> io::Result<()> {
    let Some(path) = url.sqlite_path().filter(|path| !path.exists()) else {
        return Ok(());
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_private_folder(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(access_error(&format!("the file {} cannot be made", path.display()), path, &error))
        }
        _ => Ok(()),
    }
}

/// Creates a folder that only its owner can enter; leaves an existing one unchanged.
pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
    if fs::metadata(folder).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| access_error(&format!("the folder {} cannot be made", folder.display()), folder, &error))
}

/// Describes an error of `path` and, if permissions are the cause, a remedy.
pub(crate) fn access_error(failure: &str, path: &Path, error: &io::Error) -> io::Error {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // The user has no access to the first part that exists, or to what is in it.
    let place = absolute.ancestors().find(|part| part.exists()).unwrap_or(Path::new("/")).display();
    let remedy = match error.kind() {
        ErrorKind::PermissionDenied => {
            let user = rustix::process::geteuid().as_raw();
            format!("; let the user that runs this program (UID {user}) read and write {place}, or use another folder")
        }
        ErrorKind::ReadOnlyFilesystem => format!("; mount {place} writable, or use another folder"),
        _ => String::new(),
    };
    io::Error::new(error.kind(), format!("{failure}: {error}{remedy}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_needs_access_to_what_is_said() {
        let there = env!("CARGO_MANIFEST_DIR");
        let absent = Path::new(there).join("absent/data");
        let text = |kind: ErrorKind| access_error("it cannot be made", &absent, &kind.into()).to_string();
        let denied = text(ErrorKind::PermissionDenied);
        assert!(denied.starts_with("it cannot be made: ") && denied.contains("(UID "), "{denied}");
        assert!(denied.ends_with(&format!("read and write {there}, or use another folder")), "{denied}");
        let protected = text(ErrorKind::ReadOnlyFilesystem);
        assert!(protected.ends_with(&format!("; mount {there} writable, or use another folder")), "{protected}");
        assert!(!text(ErrorKind::NotADirectory).contains(';'));
    }
}
