//! Scheduled backups: when one is due, which instance makes it, and which old ones are deleted.
//!
//! The existing backups tell what is due; there is no other record, so a deleted one is made again. The instance that
//! makes one holds a lock on a file next to the database. All instances on SQLite run on the same machine, and a lock,
//! unlike a lease, lasts as long as the backup and ends with its process.

use std::fs::TryLockError;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use age::x25519::Recipient;
use countersign::clock::{Clock as _, SystemClock};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use fs_err::{File, OpenOptions};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tracing::{debug, error, info};

use super::archive::Manifest;
use super::place::{BackupStore, Stop};
use super::staging::beside;
use super::{Made, Order, make};
use crate::Host;
use crate::failure::Failure;
use crate::metrics::BackupCounts;
use crate::settings::ShellSettings;

/// How often to check for backups that are due or were made by another instance.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// The wait after the first failure; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_mins(1);
const WAIT_MAX: Duration = Duration::from_hours(1);
/// Maximum time to stop a running backup.
const STOP_MAX: Duration = Duration::from_secs(5);
const TIME_FORMAT: &str = "%Y-%m-%dT%H%M%SZ";

/// The running schedule. It has its own thread, because file access and encryption would delay requests.
pub(crate) struct Schedule {
    stop: watch::Sender<bool>,
    ended: oneshot::Receiver<()>,
}

/// The configuration of the schedule.
struct Plan {
    shell: Arc<ShellSettings>,
    store: BackupStore,
    recipients: Vec<Recipient>,
    every: SignedDuration,
    keep: usize,
    counts: Arc<BackupCounts>,
}

impl Schedule {
    /// Starts the schedule, if `BACKUP_TO` is set.
    pub(crate) fn start<H: Host>(
        shell: &Arc<ShellSettings>,
        counts: Arc<BackupCounts>,
    ) -> Result<Option<Self>, Failure> {
        let settings = &shell.backups;
        let Some(to) = &settings.backup_to else { return Ok(None) };
        let plan = Plan {
            store: BackupStore::open(to, shell)?,
            recipients: shell.backup_recipients(),
            every: SignedDuration::from_hours(settings.backup_every_hours.into()),
            keep: usize::try_from(settings.backup_keep).unwrap_or(usize::MAX),
            shell: Arc::clone(shell),
            counts,
        };
        // One thread for files, and the worker thread for uploads.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (stop, stopped) = Stop::new();
        let (say_ended, ended) = oneshot::channel();
        thread::Builder::new().name("backups".to_owned()).spawn(move || {
            runtime.block_on(plan.follow::<H>(&stopped));
            runtime.shutdown_background();
            let _ = say_ended.send(());
        })?;
        Ok(Some(Self { stop, ended }))
    }

    /// Stops a running backup.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = timeout(STOP_MAX, self.ended).await;
    }
}

impl Plan {
    async fn follow<H: Host>(&self, stop: &Stop) {
        let mut failures = 0;
        loop {
            let wait = match self.take_turn::<H>(stop).await {
                Ok(wait) => {
                    failures = 0;
                    wait
                }
                Err(_) if stop.is_called() => return,
                Err(Failure(reason)) => {
                    failures += 1;
                    self.counts.failed();
                    error!(error = reason, failures, "a scheduled backup did not work and will be tried again");
                    wait_after(failures)
                }
            };
            tokio::select! {
                () = stop.called() => return,
                () = sleep(wait) => {}
            }
        }
    }

    /// Makes a backup if one is due and no other instance is making it. Returns the wait until the next turn.
    async fn take_turn<H: Host>(&self, stop: &Stop) -> Result<Duration, Failure> {
        let Some(database) = self.shell.database_url.sqlite_path() else {
            return Err(Failure("DATABASE_URL names a PostgreSQL database".to_owned()));
        };
        let Some(_turn) = lock(database)? else {
            debug!("another instance is at the scheduled backup");
            return Ok(LOOK_EVERY);
        };
        let now = SystemClock.now();
        let newest = self.backups::<H>(now).await?.into_iter().map(|(at, _)| at).max();
        if let Some(newest) = newest {
            self.counts.found(newest);
            let next = newest.saturating_add(self.every).unwrap_or(Timestamp::MAX);
            if next > now {
                debug!(%next, "no scheduled backup is due");
                let wait = Duration::try_from(next.duration_since(now)).unwrap_or(LOOK_EVERY);
                return Ok(wait.min(LOOK_EVERY));
            }
        }
        let name = name_at(H::NAME, now, &self.recipients);
        let place = self.store.place(&name);
        let order = Order { shell: &self.shell, place: &place, recipients: &self.recipients, now };
        let Made { manifest, bytes, .. } = make::<H>(&order, stop, &|_, _| {}).await?;
        let Manifest { pictures, pictures_missing, .. } = manifest;
        self.counts.made(now);
        info!(place = place.shown(), bytes, users = manifest.users(), pictures, "a scheduled backup is complete");
        if pictures_missing > 0 {
            error!(pictures_missing, "pictures of users are missing from the storage; everything else is backed up");
        }
        if let Err(Failure(reason)) = self.clear_up::<H>(now).await {
            error!(error = reason, "old backups cannot be deleted");
        }
        Ok(LOOK_EVERY)
    }

    /// Deletes the oldest backups beyond the number to keep.
    async fn clear_up<H: Host>(&self, now: Timestamp) -> Result<(), Failure> {
        let mut backups = self.backups::<H>(now).await?;
        backups.sort();
        let surplus = backups.len().saturating_sub(self.keep);
        for (_, name) in backups.into_iter().take(surplus) {
            self.store.remove(&name).await?;
            info!(name, "an old backup is deleted");
        }
        Ok(())
    }

    /// Lists the backups of this schedule up to `now`. Later ones stem from a wrong clock and are left alone.
    async fn backups<H: Host>(&self, now: Timestamp) -> Result<Vec<(Timestamp, String)>, Failure> {
        let known = |name: &str| time_of(H::NAME, name).filter(|at| *at <= now).map(|at| (at, name.to_owned()));
        self.store.list(known).await
    }
}

/// Locks the right to make a backup, as long as the file is held; returns `None` if another instance has it.
fn lock(database: &Path) -> io::Result<Option<File>> {
    // The file is never deleted: two processes that recreate it would each lock another file.
    let path = beside(database, ".backup.lock");
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Returns the wait after a number of failures: doubled each time, up to a limit.
fn wait_after(failures: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(WAIT_MAX)
}

/// Returns the name of a backup: `blog-2026-11-25T031500Z.tar`, with `.age` appended if it is encrypted.
fn name_at(program: &str, at: Timestamp, recipients: &[Recipient]) -> String {
    let ending = if recipients.is_empty() { "" } else { ".age" };
    format!("{program}-{}.tar{ending}", at.strftime(TIME_FORMAT))
}

/// Parses the start time from a backup's name, if the schedule gives such names.
fn time_of(program: &str, name: &str) -> Option<Timestamp> {
    let rest = name.strip_prefix(program)?.strip_prefix('-')?;
    let text = rest.strip_suffix(".age").unwrap_or(rest).strip_suffix(".tar")?;
    let time = civil::DateTime::strptime(TIME_FORMAT, text).ok()?;
    let at = TimeZone::UTC.to_timestamp(time).ok()?;
    (at.strftime(TIME_FORMAT).to_string() == text).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_the_schedule_gives_are_its_own() {
        let at: Timestamp = "2026-11-25T03:15:00Z".parse().unwrap();
        let key = age::x25519::Identity::generate().to_public();
        assert_eq!(name_at("blog", at, &[]), "blog-2026-11-25T031500Z.tar");
        assert_eq!(name_at("blog", at, &[key]), "blog-2026-11-25T031500Z.tar.age");
        for name in ["blog-2026-11-25T031500Z.tar", "blog-2026-11-25T031500Z.tar.age"] {
            assert_eq!(time_of("blog", name), Some(at), "{name}");
        }
        for name in [
            "blog-2026-11-25T031500Z.tar.gz",
            "blog-2026-11-25T03:15:00Z.tar",
            "blog-2026-11-25T031500.tar",
            "blog-2026-11-25T31500Z.tar",
            "blog-2026-02-30T031500Z.tar",
            "blog-2026-11-25.tar",
            "blog.tar",
            "countersign-2026-11-25T031500Z.tar",
            "my-blog-2026-11-25T031500Z.tar",
            "blog-2026-11-25T031500Z.age",
            "blog-2026-11-25T031500Z.tar.age.age",
            ".blog-2026-11-25T031500Z.tar",
        ] {
            assert_eq!(time_of("blog", name), None, "{name}");
        }
    }

    #[test]
    fn waits_after_failures_grow_to_a_bound() {
        for (failures, minutes) in [(1, 1), (2, 2), (5, 16), (7, 60), (u32::MAX, 60)] {
            assert_eq!(wait_after(failures), Duration::from_mins(minutes), "{failures}");
        }
    }
}
