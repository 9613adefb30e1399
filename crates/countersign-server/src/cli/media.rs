//! The `media` commands: copying pictures to another storage, and deleting unused ones.

use std::path::PathBuf;

use clap::Subcommand;
use countersign::config::StoragePolicy;
use countersign::media::{Storage, StorageError, StoredPicture};
use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use super::{Failure, Finding, open_accounts, print_error, progress, say, settings_for};
use crate::Host;
use crate::settings::{Purpose, ShellSettings};

#[derive(Subcommand)]
#[expect(clippy::doc_markdown, reason = "help texts are shown as they are written")]
pub(super) enum MediaCommand {
    /// Copy all pictures from one storage to another, verifying each
    ///
    /// A storage is file:FOLDER or s3://BUCKET; buckets are accessed with the S3_ settings. Identical files in the
    /// target are skipped, so an interrupted copy can be resumed, and a copy made while the site runs can be completed
    /// after the switch. Deletes nothing. Exits with status 1 if a picture could not be copied.
    Copy {
        /// The source storage
        #[arg(long, value_name = "STORAGE")]
        from: String,
        /// The target storage
        #[arg(long, value_name = "STORAGE")]
        to: String,
    },
    /// Delete stored files that belong to no user
    ///
    /// The server also does this every day. Interrupted uploads leave such files.
    Sweep {
        /// Minimum age of deleted files, in minutes; a younger file may be an upload in progress
        #[arg(long, default_value = "60")]
        age_minutes: u32,
    },
}

pub(super) async fn media<H: Host>(command: &MediaCommand) -> Result<Finding, Failure> {
    match command {
        MediaCommand::Copy { from, to } => {
            let shell = settings_for::<H>(Purpose::Inspect)?.shell;
            copy(&open(from, &shell)?, &open(to, &shell)?).await
        }
        MediaCommand::Sweep { age_minutes } => sweep::<H>(*age_minutes).await,
    }
}

/// Opens `file:folder` or `s3://bucket`. The settings contain everything else about the bucket.
fn open(place: &str, shell: &ShellSettings) -> Result<Storage, Failure> {
    let policy = if let Some(folder) = place.strip_prefix("file:") {
        StoragePolicy::Disk { folder: PathBuf::from(folder.strip_prefix("//").unwrap_or(folder)) }
    } else if let Some(bucket) = place.strip_prefix("s3://") {
        StoragePolicy::S3(shell.bucket_policy(bucket.trim_end_matches('/')))
    } else {
        return Err(Failure(format!("{place} is not a storage: expected file:FOLDER or s3://BUCKET")));
    };
    if matches!(&policy, StoragePolicy::Disk { folder } if folder.as_os_str().is_empty()) {
        return Err(Failure(format!("{place} names no folder")));
    }
    Ok(Storage::open(&policy)?)
}

/// The progress of a copy.
#[derive(Default)]
struct Progress {
    copied: u64,
    present: u64,
    vanished: u64,
    bytes: u64,
    failures: Vec<String>,
}

impl Progress {
    fn done(&self) -> u64 {
        self.copied + self.present + self.vanished + self.failures.len() as u64
    }
}

async fn copy(from: &Storage, to: &Storage) -> Result<Finding, Failure> {
    let mut all: u64 = 0;
    let mut files = from.list()?;
    while files.next().await?.is_some() {
        all += 1;
    }
    let mut progress = Progress::default();
    let mut files = from.list()?;
    while let Some(picture) = files.next().await? {
        if let Err(error) = copy_one(from, to, &picture, &mut progress).await {
            let Failure(reason) = error.into();
            progress.failures.push(format!("{}: {reason}", picture.file));
            if progress.failures.len() >= FAILURES_MAX {
                print_error(&progress.failures.join("\n"));
                return Err(Failure(format!("gave up after {FAILURES_MAX} failures")));
            }
        }
        progress::show(progress.done(), all);
    }
    let Progress { copied, present, vanished, bytes, failures } = progress;
    for failure in &failures {
        print_error(&format!("error: {failure}"));
    }
    say(format_args!(
        "{copied} copied ({bytes} bytes), {present} already there, {vanished} deleted meanwhile, {} failed; every copy \
         was read back and compared",
        failures.len()
    ));
    Ok(if failures.is_empty() { Finding::InOrder } else { Finding::NotInOrder })
}

/// Failures after which a copy gives up, because the storage itself is probably at fault.
const FAILURES_MAX: usize = 20;

async fn copy_one(
    from: &Storage,
    to: &Storage,
    picture: &StoredPicture,
    progress: &mut Progress,
) -> Result<(), StorageError> {
    let Some(bytes) = from.get(&picture.file).await? else {
        // Its user replaced it after it was listed.
        progress.vanished += 1;
        return Ok(());
    };
    let wanted = Sha256::digest(&bytes);
    // Compares the content, so that a truncated or altered copy is made again.
    if to.get(&picture.file).await?.is_some_and(|there| Sha256::digest(&there) == wanted) {
        progress.present += 1;
        return Ok(());
    }
    let size = bytes.len() as u64;
    to.put(&picture.file, bytes).await?;
    match to.get(&picture.file).await? {
        Some(there) if Sha256::digest(&there) == wanted => {
            progress.copied += 1;
            progress.bytes += size;
            Ok(())
        }
        _ => Err(StorageError::Altered),
    }
}

async fn sweep<H: Host>(age_minutes: u32) -> Result<Finding, Failure> {
    let accounts = open_accounts::<H>(Purpose::Administer).await?;
    let swept = accounts.sweep_pictures(SignedDuration::from_mins(age_minutes.into())).await?;
    accounts.db().close().await;
    say(format_args!("{} unused files deleted, {} kept", swept.deleted, swept.kept));
    Ok(Finding::InOrder)
}
