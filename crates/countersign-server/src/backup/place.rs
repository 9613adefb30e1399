//! Where a backup is written to or read from: a file, or an object in a bucket. Either appears once it is complete.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use countersign::operator::{BucketPatience, open_bucket};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use fs_err::{self as fs, File, OpenOptions};
use futures_util::TryStreamExt as _;
use object_store::aws::AmazonS3;
use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStore as _, ObjectStoreExt as _};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;

use super::archive::{ArchiveError, BEGINNING_BYTES, beginning_of, format_of};
use super::encryption::is_sealed;
use super::staging::{FETCHED, StagingFolder, beside, folder_of};
use crate::failure::Failure;
use crate::settings::{BackupDestination, ShellSettings, object};

/// Generous timeouts, because backups run in the background and their parts are large.
const PATIENCE: BucketPatience = BucketPatience {
    request_time_max: Duration::from_mins(15),
    attempt_time_max: Duration::from_mins(5),
    connect_time_max: Duration::from_secs(10),
    retries_max: 8,
};
/// Size of every part of an upload but the last, in bytes; some servers require equal sizes. Up to three parts are in
/// memory.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Maximum number of parts of an upload; no server accepts more.
const PARTS_MAX: usize = 10_000;
/// The folder of drafts within a folder of scheduled backups.
const DRAFTS: &str = ".scheduled.partial";
/// Maximum time to abort an upload.
const ABORT_MAX: Duration = Duration::from_secs(4);

/// A request to stop a running backup.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Sending `true` requests the stop.
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Waits until the stop is requested.
    pub(crate) async fn called(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|is_called| *is_called).await.is_err() {
            // The sender is gone, so no request can come.
            std::future::pending::<()>().await;
        }
    }

    pub(crate) fn is_called(&self) -> bool {
        *self.0.borrow()
    }
}

fn stopped() -> io::Error {
    io::Error::other("it was stopped")
}

/// A file, or an object in a bucket.
pub(crate) enum Place {
    /// `drafts` is the folder where the file is written; it is on the same disk.
    File {
        file: PathBuf,
        drafts: PathBuf,
    },
    Object {
        bucket: AmazonS3,
        key: Key,
        shown: String,
    },
}

impl Place {
    /// Parses `s3://bucket/name`, or a path.
    pub(crate) fn parse(text: &Path, shell: &ShellSettings) -> Result<Self, Failure> {
        let Some(rest) = text.to_str().and_then(|text| text.strip_prefix("s3://")) else {
            return Ok(Self::File { file: text.to_owned(), drafts: beside(text, ".partial") });
        };
        let shown = format!("s3://{rest}");
        let (bucket, key) =
            object(rest).map_err(|accepted| Failure(format!("{shown} is not a valid location: {accepted}")))?;
        Ok(Self::Object { bucket: open_bucket(&shell.bucket_policy(&bucket), PATIENCE)?, key: Key::parse(key)?, shown })
    }

    pub(crate) fn shown(&self) -> String {
        match self {
            Self::File { file, .. } => file.display().to_string(),
            Self::Object { shown, .. } => shown.clone(),
        }
    }

    /// Refuses to overwrite anything but an earlier backup, because a typo could name the database. An encrypted file
    /// may be anything, so only an encrypted backup replaces it.
    pub(crate) async fn refuse_foreign(&self, will_be_sealed: bool) -> Result<(), Failure> {
        let shown = self.shown();
        let begin = match self {
            Self::File { file, .. } => {
                let folder = folder_of(file);
                if !folder.is_dir() {
                    return Err(Failure(format!("the folder {} does not exist", folder.display())));
                }
                match fs::metadata(file) {
                    Ok(found) if found.is_dir() => {
                        return Err(Failure(format!("{shown} is a folder; name a file, such as backup.tar")));
                    }
                    Ok(_) => Some(beginning_of(file)?),
                    Err(_) => None,
                }
            }
            Self::Object { bucket, key, .. } => match bucket.head(key).await {
                Ok(found) if found.size == 0 => Some(Vec::new()),
                Ok(found) => Some(bucket.get_range(key, 0..found.size.min(BEGINNING_BYTES)).await?.to_vec()),
                Err(object_store::Error::NotFound { .. }) => None,
                Err(error) => return Err(error.into()),
            },
        };
        match begin {
            None => Ok(()),
            Some(begin) if is_sealed(&begin) && will_be_sealed => Ok(()),
            Some(begin) => match format_of(&begin) {
                Err(ArchiveError::Foreign) => {
                    Err(Failure(format!("{shown} exists and is not a backup; it was left alone")))
                }
                Err(error) => Err(error.into()),
                Ok(_) => Ok(()),
            },
        }
    }

    /// Begins to write; a file is named `draft` until it is complete.
    pub(crate) async fn begin(&self, draft: &Path, stop: &Stop) -> Result<(BackupSink, Delivery), Failure> {
        let (sink, kind) = match self {
            Self::File { file, .. } => {
                let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
                let kind = Kind::File { draft: draft.to_owned(), target: file.clone() };
                (Sink::File(BufWriter::with_capacity(1 << 18, opened)), kind)
            }
            Self::Object { bucket, key, .. } => {
                let (to, parts) = mpsc::channel(1);
                let mut tasks = JoinSet::new();
                tasks.spawn(upload(bucket.put_multipart(key).await?, parts, stop.clone()));
                (Sink::Object { part: Vec::with_capacity(PART_BYTES), sent: 0, to }, Kind::Object(tasks))
            }
        };
        Ok((BackupSink { sink, written: 0, stop: stop.clone() }, Delivery(kind)))
    }

    /// Fails if there is no such file or object.
    pub(crate) async fn check_exists(&self) -> Result<(), Failure> {
        match self {
            Self::File { file, .. } => std::fs::metadata(file).map(drop)?,
            Self::Object { bucket, key, .. } => bucket.head(key).await.map(drop)?,
        }
        Ok(())
    }

    /// Returns a path to the content: the file itself, or a copy of the object in a new staging.
    pub(crate) async fn fetch(
        &self,
        staging: impl FnOnce() -> Result<StagingFolder, Failure>,
        progress: impl Fn(u64, u64),
    ) -> Result<(PathBuf, Option<StagingFolder>), Failure> {
        let (bucket, key) = match self {
            Self::File { file, .. } => return Ok((file.clone(), None)),
            Self::Object { bucket, key, .. } => (bucket, key),
        };
        let staging = staging()?;
        let copy = staging.path(FETCHED);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy)?;
        let size = bucket.head(key).await?.size;
        let mut at = 0;
        // In parts, each with its own timeout.
        while at < size {
            let end = size.min(at + PART_BYTES as u64);
            file.write_all(&bucket.get_range(key, at..end).await?)?;
            at = end;
            progress(at, size);
        }
        Ok((copy, Some(staging)))
    }
}

/// The writer of a backup. It blocks, so it needs a multi-threaded runtime.
pub(crate) struct BackupSink {
    sink: Sink,
    written: u64,
    stop: Stop,
}

enum Sink {
    File(BufWriter<File>),
    Object { part: Vec<u8>, sent: usize, to: mpsc::Sender<Message> },
}

enum Message {
    Part(Bytes),
    /// All parts have been sent.
    End,
}

/// Sends a message, and blocks while the previous one is being uploaded.
fn send(to: &mpsc::Sender<Message>, message: Message) -> io::Result<()> {
    block_in_place(|| to.blocking_send(message)).map_err(|_| io::Error::other("the upload has ended"))
}

impl Write for BackupSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stop.is_called() {
            return Err(stopped());
        }
        let written = match &mut self.sink {
            Sink::File(file) => file.write(bytes)?,
            Sink::Object { part, sent, to } => {
                let room = PART_BYTES - part.len();
                let some = &bytes[..bytes.len().min(room)];
                part.extend_from_slice(some);
                if part.len() == PART_BYTES {
                    if *sent == PARTS_MAX {
                        return Err(io::Error::new(
                            ErrorKind::FileTooLarge,
                            "it is larger than 78 GiB, the limit of an upload",
                        ));
                    }
                    send(to, Message::Part(Bytes::from(std::mem::replace(part, Vec::with_capacity(PART_BYTES)))))?;
                    *sent += 1;
                }
                some.len()
            }
        };
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::File(file) => file.flush(),
            Sink::Object { .. } => Ok(()),
        }
    }
}

/// The completion of what was written. Dropping it discards the backup.
pub(crate) struct Delivery(Kind);

enum Kind {
    File { draft: PathBuf, target: PathBuf },
    Object(JoinSet<Result<(), UploadError>>),
}

impl Delivery {
    /// Gives the completed backup its name, and returns its size in bytes.
    pub(crate) async fn complete(self, outlet: BackupSink) -> Result<u64, Failure> {
        let BackupSink { sink, written, .. } = outlet;
        match (self.0, sink) {
            (Kind::File { draft, target }, Sink::File(file)) => {
                file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
                fs::rename(draft, &target)?;
                File::open(folder_of(&target))?.sync_all()?;
            }
            (Kind::Object(tasks), Sink::Object { part, to, .. }) => {
                // If the upload has ended, `outcome` returns the reason.
                let last = if part.is_empty() { Ok(()) } else { send(&to, Message::Part(part.into())) };
                let sent = last.and_then(|()| send(&to, Message::End));
                drop(to);
                outcome(tasks).await?;
                sent?;
            }
            _ => return Err(Failure("the output does not belong to this destination".to_owned())),
        }
        Ok(written)
    }

    /// Aborts an incomplete backup and returns why it failed. A failed upload is a better reason than `reason`.
    pub(crate) async fn give_up(self, reason: Failure) -> Failure {
        match self.0 {
            Kind::File { .. } => reason,
            Kind::Object(tasks) => match outcome(tasks).await {
                Err(error @ UploadError::Failed(_)) => error.into(),
                _ => reason,
            },
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum UploadError {
    #[error("the upload: {0}")]
    Failed(#[from] object_store::Error),
    #[error("the upload was stopped")]
    Stopped,
}

async fn outcome(mut tasks: JoinSet<Result<(), UploadError>>) -> Result<(), UploadError> {
    tasks.join_next().await.and_then(Result::ok).unwrap_or(Err(UploadError::Stopped))
}

/// Uploads parts until the end message; aborts the upload without one.
async fn upload(
    mut upload: Box<dyn MultipartUpload>,
    mut parts: mpsc::Receiver<Message>,
    stop: Stop,
) -> Result<(), UploadError> {
    let sent = async {
        loop {
            match parts.recv().await {
                Some(Message::Part(part)) => upload.put_part(part.into()).await?,
                Some(Message::End) => return Ok(upload.complete().await.map(drop)?),
                None => return Err(UploadError::Stopped),
            }
        }
    };
    let outcome = tokio::select! {
        outcome = sent => outcome,
        () = stop.called() => Err(UploadError::Stopped),
    };
    if outcome.is_err() {
        // Makes further writes fail.
        drop(parts);
        let _ = timeout(ABORT_MAX, upload.abort()).await;
    }
    outcome
}

/// The destination of scheduled backups.
pub(crate) enum BackupStore {
    Folder(PathBuf),
    Bucket { bucket: AmazonS3, prefix: Key, shown: String },
}

impl BackupStore {
    pub(crate) fn open(to: &BackupDestination, shell: &ShellSettings) -> Result<Self, Failure> {
        Ok(match to {
            // Absolute, because the program may change its working directory later.
            BackupDestination::Folder(folder) => Self::Folder(std::path::absolute(folder)?),
            BackupDestination::Bucket { bucket, prefix } => Self::Bucket {
                shown: format!("s3://{bucket}"),
                bucket: open_bucket(&shell.bucket_policy(bucket), PATIENCE)?,
                prefix: Key::parse(prefix)?,
            },
        })
    }

    pub(crate) fn place(&self, name: &str) -> Place {
        match self {
            // The folder of drafts is always the same, so that the next backup cleans up after one that was killed.
            Self::Folder(folder) => Place::File { file: folder.join(name), drafts: folder.join(DRAFTS) },
            Self::Bucket { bucket, prefix, shown } => {
                let key = prefix.clone().join(name);
                Place::Object { bucket: bucket.clone(), shown: format!("{shown}/{key}"), key }
            }
        }
    }

    /// Lists the files or objects directly in the store, as mapped and filtered by `wanted`.
    pub(crate) async fn list<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Failure> {
        let mut found = Vec::new();
        match self {
            Self::Folder(folder) => {
                let entries = std::fs::read_dir(folder)
                    .map_err(|error| Failure(format!("{} cannot be read: {error}", folder.display())))?;
                for entry in entries {
                    found.extend(entry?.file_name().to_str().and_then(&wanted));
                }
            }
            Self::Bucket { bucket, prefix, .. } => {
                let mut objects = bucket.list(Some(prefix));
                while let Some(object) = objects.try_next().await? {
                    let parts = object.location.prefix_match(prefix).map(Iterator::collect::<Vec<_>>);
                    if let Some([name]) = parts.as_deref() {
                        found.extend(wanted(name.as_ref()));
                    }
                }
            }
        }
        Ok(found)
    }

    pub(crate) async fn remove(&self, name: &str) -> Result<(), Failure> {
        match self {
            Self::Folder(folder) => Ok(fs::remove_file(folder.join(name))?),
            Self::Bucket { bucket, prefix, .. } => Ok(bucket.delete(&prefix.clone().join(name)).await?),
        }
    }
}
