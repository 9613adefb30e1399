//! Decides how an installation is backed up while it runs: which moment the database is of, which pictures go with it, and
//! when the file has its name.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use countersign::clock::{Clock as _, SystemClock};
use countersign::media::Storage;
use countersign::model::{PictureFile, UserId};
use countersign::{MissingPicture, count_pictures, follow_picture, list_pictures};
use countersign_db::{Db, PoolPolicy, SchemaState};
use futures_util::future::join_all;

use super::archive::{ArchiveError, ArchiveWriter, FORMAT, Manifest, format_of};
use super::{Failure, Finding, bar, complain, say, settings_for};
use crate::Host;
use crate::schema::{self, create_private_folder, migrations, refuse_missing};
use crate::settings::Purpose;

/// How many pictures are read at the same time, each of which is in memory then.
pub(super) const PICTURES_AT_ONCE: usize = 8;
/// How often one user's picture may be replaced while it is being read.
const TURNS_MAX: usize = 100;
/// Lost pictures that are named one by one; of more there is only the number.
const LOST_NAMED_MAX: u64 = 20;

pub(super) async fn back_up<H: Host>(file: &Path) -> Result<Finding, Failure> {
    let shell = settings_for::<H>(Purpose::Inspect)?.shell;
    let url = &shell.database_url;
    if url.sqlite_path().is_none() {
        return Err(Failure(
            "DATABASE_URL names a PostgreSQL database, which PostgreSQL's own tools back up, such as `pg_dump \
             --format=custom`; back up the pictures after it, from MEDIA_DIR or the bucket"
                .to_owned(),
        ));
    }
    refuse_missing::<H>(url)?;
    refuse_foreign(file)?;
    let storage = Storage::open(&shell.media_policy().storage)?;
    let workshop = Workshop::open(file)?;
    let live = Db::connect(url, &PoolPolicy::default()).await?;
    schema::refuse_half_copied::<H>(&live).await?;

    let now = SystemClock.now();
    let database = workshop.path(DATABASE);
    // Empty and private already when SQLite begins to write.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&database)?;
    live.snapshot_into(&database).await?;
    let copy = Db::open_copy(&database).await?;
    let schema = schema_of::<H>(&copy).await?;
    let mut archive = ArchiveWriter::create(&workshop.path(ARCHIVE), &workshop.path(SUMS), now)?;
    let source = Source { live: &live, copy: &copy, storage: &storage };
    let (pictures, pictures_missing) = source.add_pictures(&mut archive).await?;
    let rows = copy.count_rows().await?;
    // Its file is the whole database only now.
    copy.close().await;
    live.close().await;
    archive.add_database(&database)?;
    let (program, version) = (H::NAME.to_owned(), H::VERSION.to_owned());
    let created_at = format!("{now:.0}");
    let manifest = Manifest { format: FORMAT, program, version, created_at, schema, rows, pictures, pictures_missing };
    archive.finish(&manifest)?;
    let bytes = fs::metadata(workshop.path(ARCHIVE))?.len();
    fs::rename(workshop.path(ARCHIVE), file)?;
    File::open(folder_of(file))?.sync_all()?;
    say(format_args!(
        "{}: {} users, {pictures} pictures, {bytes} bytes; the database as it was at {}",
        file.display(),
        manifest.rows.get("auth_users").copied().unwrap_or_default(),
        manifest.created_at,
    ));
    if pictures_missing == 0 {
        return Ok(Finding::InOrder);
    }
    complain(&format!(
        "error: {pictures_missing} pictures that users have are not in the storage; the rest is backed up"
    ));
    Ok(Finding::NotInOrder)
}

/// What is there must be an earlier backup, or a slip of the hand would replace a database by its backup.
fn refuse_foreign(file: &Path) -> Result<(), Failure> {
    let shown = file.display();
    let folder = folder_of(file);
    if !folder.is_dir() {
        return Err(Failure(format!("there is no folder {}", folder.display())));
    }
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => Err(Failure(format!("{shown} is a folder; name a file, such as backup.tar"))),
        Ok(_) => match format_of(file) {
            Err(ArchiveError::Foreign) => Err(Failure(format!("{shown} is there and no backup; it was left alone"))),
            Err(error) => Err(error.into()),
            Ok(_) => Ok(()),
        },
        Err(_) => Ok(()),
    }
}

pub(super) fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name beside a file, hidden and with another ending.
pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(file.file_name().unwrap_or_default());
    name.push(ending);
    file.with_file_name(name)
}

/// The latest migration of each set. An older schema is backed up, which one does before it is updated; a strange one is not.
async fn schema_of<H: Host>(copy: &Db) -> Result<BTreeMap<String, i64>, Failure> {
    let mut latest = BTreeMap::new();
    for status in copy.schema(&migrations::<H>()).await? {
        match (status.state(), status.applied.last()) {
            (SchemaState::Current | SchemaState::Older, Some(step)) => {
                latest.insert(status.set.to_owned(), step.version);
            }
            // A set that this program has got since.
            (SchemaState::Older, None) if status.set != countersign::MIGRATIONS.set => {}
            // What a newer program added is in the file too.
            (SchemaState::Expanded, _) => {
                latest.extend(status.unknown.iter().map(|step| (status.set.to_owned(), step.version)));
            }
            _ => drop(schema::verdict::<H>(&status)?),
        }
    }
    Ok(latest)
}

const ARCHIVE: &str = "backup.tar";
const DATABASE: &str = "database.db";
const SUMS: &str = "SHA256SUMS";

/// The folder beside a backup in which it is made: for one at a time, and gone afterwards. What a killed one left is cleared
/// away by the next.
struct Workshop {
    folder: PathBuf,
    _lock: File,
}

impl Workshop {
    fn open(file: &Path) -> Result<Self, Failure> {
        let folder = beside(file, ".partial");
        create_private_folder(&folder)?;
        let lock = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure(format!("another backup to {} is under way", file.display())));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        for name in [ARCHIVE, DATABASE, SUMS] {
            if folder.join(name).exists() {
                fs::remove_file(folder.join(name))?;
            }
        }
        Ok(Self { folder, _lock: lock })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What stays is cleared away by the next backup.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What a backup is made of.
struct Source<'s> {
    live: &'s Db,
    copy: &'s Db,
    storage: &'s Storage,
}

/// What became of one user's picture.
enum Fetched {
    Found(PictureFile, Bytes),
    Nothing,
    Lost(PictureFile),
}

impl Source<'_> {
    /// The pictures that the copy of the database names; how many there were, and how many the storage had lost.
    async fn add_pictures(&self, archive: &mut ArchiveWriter) -> Result<(u64, u64), Failure> {
        let all = count_pictures(self.copy).await?;
        let (mut done, mut found, mut lost) = (0, 0, 0);
        let mut after = None;
        loop {
            let page = list_pictures(self.copy, after).await?;
            let Some((user, _)) = page.last() else {
                return Ok((found, lost));
            };
            after = Some(*user);
            for some in page.chunks(PICTURES_AT_ONCE) {
                let fetches = some.iter().map(|(user, file)| self.fetch(*user, file.as_ref()));
                for fetched in join_all(fetches).await {
                    match fetched? {
                        Fetched::Found(file, bytes) => {
                            archive.add_picture(&file, &bytes)?;
                            found += 1;
                        }
                        Fetched::Nothing => {}
                        Fetched::Lost(file) => {
                            lost += 1;
                            if lost <= LOST_NAMED_MAX {
                                complain(&format!("error: {file} is not in the storage, and a user has it"));
                            }
                        }
                    }
                    done += 1;
                }
                bar::show(done, all);
            }
        }
    }

    /// The picture that a user has in the copy. If it has gone because it was replaced, the copy gets the one that is there
    /// instead: so it names only what is in the backup.
    async fn fetch(&self, user: UserId, file: Option<&PictureFile>) -> Result<Fetched, Failure> {
        let Some(mut file) = file.cloned() else {
            return Ok(Fetched::Nothing);
        };
        for _ in 0..TURNS_MAX {
            if let Some(bytes) = self.storage.get(&file).await? {
                return Ok(Fetched::Found(file, bytes));
            }
            match follow_picture(self.live, self.copy, user, &file, SystemClock.now()).await? {
                MissingPicture::Replaced(present) => file = present,
                MissingPicture::Removed => return Ok(Fetched::Nothing),
                MissingPicture::Lost => return Ok(Fetched::Lost(file)),
            }
        }
        Err(Failure(format!("the picture of the user {user} is replaced faster than it can be read")))
    }
}
