//! Backups: one encrypted or plain archive of the database and the pictures, written to a file or a bucket, on command or on a schedule.

pub(crate) mod archive;
pub(crate) mod encryption;
pub(crate) mod place;
pub(crate) mod schedule;
pub(crate) mod staging;

use std::collections::BTreeMap;

use age::x25519::Recipient;
use bytes::Bytes;
use countersign::clock::{Clock as _, SystemClock};
use countersign::media::Storage;
use countersign::model::{PictureFile, UserId};
use countersign::operator::{MissingPicture, count_pictures, follow_picture, list_pictures};
use countersign_db::{Db, PoolPolicy, SchemaState};
use fs_err::OpenOptions;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use futures_util::future::join_all;
use jiff::Timestamp;

use self::archive::{ArchiveWriter, FORMAT, Manifest};
use self::encryption::Envelope;
use self::place::{BackupSink, Place, Stop};
use self::staging::{ARCHIVE, DATABASE, SUMS, StagingFolder, beside};
use crate::Host;
use crate::connect::connect;
use crate::failure::Failure;
use crate::schema::{self, migrations, refuse_missing};
use crate::settings::ShellSettings;

/// Pictures read concurrently; each is held in memory.
pub(crate) const PICTURES_AT_ONCE: usize = 8;
/// How often one user's picture may be replaced while it is read before the backup fails.
const TURNS_MAX: usize = 100;
/// Lost pictures that are named in errors; further ones are only counted.
const LOST_NAMED_MAX: usize = 20;

/// The parameters of a backup.
pub(crate) struct Order<'o> {
    pub(crate) shell: &'o ShellSettings,
    pub(crate) place: &'o Place,
    /// The recipients that it is encrypted to; if empty, it is not encrypted.
    pub(crate) recipients: &'o [Recipient],
    pub(crate) now: Timestamp,
}

/// A completed backup.
pub(crate) struct Made {
    pub(crate) manifest: Manifest,
    pub(crate) bytes: u64,
    /// Pictures that users have but the storage lacks, up to [`LOST_NAMED_MAX`].
    pub(crate) lost: Vec<PictureFile>,
}

/// Makes a backup; `progress` receives the number of users processed and the total.
pub(crate) async fn make<H: Host>(
    order: &Order<'_>,
    stop: &Stop,
    progress: &dyn Fn(u64, u64),
) -> Result<Made, Failure> {
    let Order { shell, place, recipients, .. } = order;
    let url = &shell.database_url;
    let Some(database) = url.sqlite_path() else {
        return Err(Failure(
            "DATABASE_URL names a PostgreSQL database; back it up with PostgreSQL's own tools, such as `pg_dump \
             --format=custom`, then back up the pictures in MEDIA_DIR or the bucket"
                .to_owned(),
        ));
    };
    refuse_missing::<H>(url)?;
    place.refuse_foreign(!recipients.is_empty()).await?;
    let storage = Storage::open(&shell.media_policy().storage)?;
    let taken = format!("another backup to {} is running", place.shown());
    let beside_database =
        || StagingFolder::open(beside(database, ".backup.partial"), "another backup of this database is running");
    let (drafts, private) = match place {
        Place::File { drafts, .. } if recipients.is_empty() => (StagingFolder::open(drafts.clone(), &taken)?, None),
        // The unencrypted copy stays in the folder of the database, which already holds the same data.
        Place::File { drafts, .. } => (StagingFolder::open(drafts.clone(), &taken)?, Some(beside_database()?)),
        Place::Object { .. } => (beside_database()?, None),
    };
    let staging = private.as_ref().unwrap_or(&drafts);
    let (outlet, delivery) = place.begin(&drafts.path(ARCHIVE), stop).await?;
    let written = tokio::select! {
        written = write::<H>(order, &storage, staging, outlet, progress) => written,
        () = stop.called() => Err(Failure("it was stopped".to_owned())),
    };
    match written {
        Ok((outlet, manifest, lost)) => {
            let bytes = delivery.complete(outlet).await?;
            Ok(Made { manifest, bytes, lost })
        }
        Err(reason) => Err(delivery.give_up(reason).await),
    }
}

async fn write<H: Host>(
    order: &Order<'_>,
    storage: &Storage,
    staging: &StagingFolder,
    outlet: BackupSink,
    progress: &dyn Fn(u64, u64),
) -> Result<(BackupSink, Manifest, Vec<PictureFile>), Failure> {
    let live = connect(&order.shell.database_url, &PoolPolicy::default()).await?;
    schema::refuse_half_copied::<H>(&live).await?;
    let database = staging.path(DATABASE);
    // SQLite writes to a file that is already private.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&database)?;
    live.snapshot_into(&database).await?;
    let copy = Db::open_copy(&database).await?;
    let schema = schema_of::<H>(&copy).await?;
    let envelope = Envelope::new(order.recipients, outlet)?;
    let mut archive = ArchiveWriter::begin(envelope, &staging.path(SUMS), order.now)?;
    let source = Source { live: &live, copy: &copy, storage };
    let Pictures { found, missing, lost } = source.add_pictures(&mut archive, progress).await?;
    let rows = copy.count_rows().await?;
    // Only after closing does its file hold the whole database.
    copy.close().await;
    live.close().await;
    archive.add_database(&database)?;
    let (program, version) = (H::NAME.to_owned(), H::VERSION.to_owned());
    let created_at = format!("{:.0}", order.now);
    let (pictures, pictures_missing) = (found, missing);
    let manifest = Manifest { format: FORMAT, program, version, created_at, schema, rows, pictures, pictures_missing };
    let outlet = archive.finish(&manifest)?.finish()?;
    Ok((outlet, manifest, lost))
}

/// Returns the latest migration of each set. An older schema is accepted, because people back up before they migrate;
/// an altered or unknown one is refused.
async fn schema_of<H: Host>(copy: &Db) -> Result<BTreeMap<String, i64>, Failure> {
    let mut latest = BTreeMap::new();
    for status in copy.schema(&migrations::<H>()).await? {
        match (status.state(), status.applied.last()) {
            (SchemaState::Current | SchemaState::Older, Some(step)) => {
                latest.insert(status.set.to_owned(), step.version);
            }
            // The backup predates this set of migrations.
            (SchemaState::Older, None) if status.set != countersign::MIGRATIONS.set => {}
            // Tables that a newer program added are in the file too.
            (SchemaState::Expanded, _) => {
                latest.extend(status.unknown.iter().map(|step| (status.set.to_owned(), step.version)));
            }
            _ => drop(schema::verdict::<H>(&status)?),
        }
    }
    Ok(latest)
}

/// The sources of a backup.
struct Source<'s> {
    live: &'s Db,
    copy: &'s Db,
    storage: &'s Storage,
}

/// The outcome of reading one user's picture.
enum Fetched {
    Found(PictureFile, Bytes),
    Nothing,
    Lost(PictureFile),
}

/// The outcome of reading all pictures.
#[derive(Default)]
struct Pictures {
    found: u64,
    missing: u64,
    lost: Vec<PictureFile>,
}

impl Source<'_> {
    /// Adds the pictures that the copy of the database refers to.
    async fn add_pictures(
        &self,
        archive: &mut ArchiveWriter<Envelope<BackupSink>>,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Pictures, Failure> {
        let all = count_pictures(self.copy).await?;
        let (mut done, mut pictures) = (0, Pictures::default());
        let mut after = None;
        loop {
            let page = list_pictures(self.copy, after).await?;
            let Some((user, _)) = page.last() else {
                return Ok(pictures);
            };
            after = Some(*user);
            for some in page.chunks(PICTURES_AT_ONCE) {
                let fetches = some.iter().map(|(user, file)| self.fetch(*user, file.as_ref()));
                for fetched in join_all(fetches).await {
                    match fetched? {
                        Fetched::Found(file, bytes) => {
                            archive.add_picture(&file, &bytes)?;
                            pictures.found += 1;
                        }
                        Fetched::Nothing => {}
                        Fetched::Lost(file) => {
                            pictures.missing += 1;
                            if pictures.lost.len() < LOST_NAMED_MAX {
                                pictures.lost.push(file);
                            }
                        }
                    }
                    done += 1;
                }
                progress(done, all);
            }
        }
    }

    /// Reads a user's picture as the copy of the database names it. If it was replaced meanwhile, updates the copy, so
    /// that the copy refers only to pictures in the backup.
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
