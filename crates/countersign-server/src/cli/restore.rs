//! The `restore` command. The database is replaced last and atomically, so that an installation is either the old one
//! or the new one.

use std::path::{Path, PathBuf};

use countersign::media::Storage;
use countersign_db::{Db, DbError, SchemaState, checkpoint_and_close};
use fs_err::{self as fs, File};
use futures_util::future::try_join_all;

use super::{Failure, Finding, print_error, progress, say, settings_for};
use crate::Host;
use crate::backup::PICTURES_AT_ONCE;
use crate::backup::archive::{Backup, Manifest, beginning_of};
use crate::backup::encryption::{Identities, is_sealed};
use crate::backup::place::Place;
use crate::backup::staging::{ARCHIVE, StagingFolder, beside, folder_of};
use crate::schema::{self, create_private_folder, migrations};
use crate::settings::Purpose;

/// What to do with an existing database and pictures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Keep,
    Replace,
}

pub(super) async fn restore<H: Host>(
    from: &Path,
    identity: Option<&Path>,
    existing: Existing,
) -> Result<Finding, Failure> {
    let shell = settings_for::<H>(Purpose::Inspect)?.shell;
    let Some(target) = shell.database_url.sqlite_path() else {
        return Err(Failure(
            "DATABASE_URL names a PostgreSQL database, but backups of this program are for SQLite; restore dumps of \
             `pg_dump` with `pg_restore`"
                .to_owned(),
        ));
    };
    let storage = Storage::open(&shell.media_policy().storage)?;
    let place = Place::parse(from, &shell)?;
    let identities = identity.map(Identities::read).transpose()?;
    let unreadable = |Failure(reason)| Failure(format!("{}: {reason}; nothing was changed", place.shown()));
    // First, so that nobody is told to use --force without a backup.
    place.check_exists().await.map_err(unreadable)?;
    refuse_occupied(target, &storage, existing).await?;
    let (backup, _workshop) = verified(&place, identities.as_ref(), target).await.map_err(unreadable)?;
    refuse_strange_sets::<H>(&backup.manifest)?;

    create_private_folder(folder_of(target))?;
    let draft = Draft::beside(target)?;
    backup.extract_database(&draft.0)?;
    let state = examine::<H>(&draft.0, &backup.manifest).await?;
    empty_place(target, existing).await?;
    put_pictures(&backup, &storage).await?;
    // Checked again, because the site may have been started meanwhile.
    empty_place(target, existing).await?;
    fs::rename(&draft.0, target)?;
    File::open(folder_of(target))?.sync_all()?;

    let Manifest { program, version, created_at, pictures, pictures_missing, .. } = &backup.manifest;
    let users = backup.manifest.users();
    say(format_args!(
        "restored the backup of {program} {version} from {created_at}: {users} users, {pictures} pictures"
    ));
    if *pictures_missing > 0 {
        print_error(&format!(
            "warning: {pictures_missing} pictures of users were already missing when the backup was made"
        ));
    }
    if state == SchemaState::Older {
        say(format_args!("its schema is older than this program; run `{} migrate up`", H::NAME));
    }
    Ok(Finding::InOrder)
}

/// Reads and verifies a backup. An object or an encrypted file is first copied next to the database, into the returned
/// staging.
async fn verified(
    place: &Place,
    identities: Option<&Identities>,
    target: &Path,
) -> Result<(Backup, Option<StagingFolder>), Failure> {
    let open = || StagingFolder::open(beside(target, ".restore.partial"), "another restore is running");
    let (file, fetched) = place.fetch(open, progress::show).await?;
    if !is_sealed(&beginning_of(&file)?) {
        return Ok((Backup::verified(&file, progress::show)?, fetched));
    }
    let Some(identities) = identities else {
        return Err(Failure("it is encrypted; pass the file with its key as --identity".to_owned()));
    };
    let is_fetched = fetched.is_some();
    let staging = match fetched {
        Some(staging) => staging,
        None => open()?,
    };
    let archive = staging.path(ARCHIVE);
    identities.open(&file, &archive)?;
    if is_fetched {
        fs::remove_file(&file)?;
    }
    Ok((Backup::verified(&archive, progress::show)?, Some(staging)))
}

async fn refuse_occupied(target: &Path, storage: &Storage, existing: Existing) -> Result<(), Failure> {
    if existing == Existing::Replace {
        return Ok(());
    }
    if target.exists() {
        return Err(Failure(format!(
            "there is a database at {} already; it was left alone. --force replaces it",
            target.display()
        )));
    }
    if storage.list()?.next().await?.is_some() {
        return Err(Failure(
            "there are pictures in MEDIA_DIR or the bucket already; they were left alone. --force adds to them, which \
             also completes an interrupted restore"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Refuses a set of tables that this program does not know; it belongs to another host application.
fn refuse_strange_sets<H: Host>(manifest: &Manifest) -> Result<(), Failure> {
    let known = migrations::<H>();
    match manifest.schema.keys().find(|set| known.iter().all(|known| known.set != set.as_str())) {
        Some(set) => Err(Failure(format!(
            "it is a backup of {} and has tables of `{set}`, which {} does not know; nothing was changed",
            manifest.program,
            H::NAME
        ))),
        None => Ok(()),
    }
}

/// Checks that the database is intact, and that this program can use or migrate it.
async fn examine<H: Host>(database: &Path, manifest: &Manifest) -> Result<SchemaState, Failure> {
    let copy = Db::open_copy(database).await?;
    let mut state = SchemaState::Current;
    for status in copy.schema(&migrations::<H>()).await? {
        match status.state() {
            SchemaState::Current | SchemaState::Expanded => {}
            SchemaState::Older => state = SchemaState::Older,
            SchemaState::Newer | SchemaState::Altered => drop(schema::verdict::<H>(&status)?),
        }
    }
    copy.check_whole().await?;
    let rows = copy.count_rows().await?;
    copy.close().await;
    if rows == manifest.rows {
        Ok(state)
    } else {
        Err(Failure("the database's row counts differ from the backup's manifest; nothing was changed".to_owned()))
    }
}

/// Makes sure that the place of the database is empty or, with `Replace`, holds only a file that no program uses.
async fn empty_place(target: &Path, existing: Existing) -> Result<(), Failure> {
    if target.exists() {
        if existing == Existing::Keep {
            return Err(Failure(format!(
                "a database was created at {} meanwhile; it was left alone",
                target.display()
            )));
        }
        match checkpoint_and_close(target).await {
            // Not a database, or a broken one, which may be why it is replaced.
            Ok(()) | Err(DbError::Other(_)) => {}
            Err(DbError::Unavailable(_)) => {
                return Err(Failure(format!(
                    "a program has {} open; stop it first. The database was left alone",
                    target.display()
                )));
            }
            Err(error) => return Err(error.into()),
        }
    }
    // SQLite would apply the log of another database to this one.
    for ending in ["-wal", "-shm", "-journal"] {
        let mut name = target.as_os_str().to_owned();
        name.push(ending);
        if Path::new(&name).exists() {
            fs::remove_file(&name)?;
        }
    }
    Ok(())
}

async fn put_pictures(backup: &Backup, storage: &Storage) -> Result<(), Failure> {
    let (mut done, all) = (0, backup.manifest.pictures);
    backup
        .for_each_picture(PICTURES_AT_ONCE, async |pictures| {
            done += pictures.len() as u64;
            try_join_all(pictures.into_iter().map(|(file, bytes)| async move { storage.put(&file, bytes).await }))
                .await?;
            progress::show(done, all);
            Ok::<(), Failure>(())
        })
        .await
}

/// The restored database under a temporary name; deleted unless it is renamed.
struct Draft(PathBuf);

impl Draft {
    fn beside(target: &Path) -> Result<Self, Failure> {
        let draft = beside(target, ".restored");
        if draft.exists() {
            // A killed restore left it.
            fs::remove_file(&draft)?;
        }
        Ok(Self(draft))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}
