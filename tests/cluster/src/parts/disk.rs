//! A full disk: it is filled and freed under load. Each time reads must continue, writes must get a 503 and recover in
//! seconds without a restart, and nothing acknowledged may be lost or incomplete.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use super::rounds::{Store, whole};
use crate::Rig;
use crate::broken::{Broken, Outcome};
use crate::client::{Client, Content, Target};
use crate::instance::{Installation, Instance};
use crate::ledger::Ledger;
use crate::load::{AfterFailure, Load};
use crate::nginx::free_address;
use crate::postgres::{Postgres, limit_files, own};
use crate::promises;
use crate::report::{Figure, Goal, counts};

/// Size of the small file system.
const SIZE: &str = "24m";
/// Writes before the disk is filled and after it is freed, and failures in between.
const WRITES: usize = 8;
const FAILURES: usize = 8;
/// Timeout for each of these phases.
const STANDSTILL_MAX: Duration = Duration::from_mins(1);
const HEALED_MAX_SECONDS: f64 = 5.0;
/// Makes the table of posts longer than a WAL segment, so that a file size limit affects only the table, and makes it grow
/// every few posts.
const PREFILL: &str = "ALTER TABLE posts SET (fillfactor = 10); INSERT INTO posts SELECT gen_random_uuid(), (SELECT min(id::text)::uuid FROM auth_users), 'full', \
                       repeat('x', 1500), 0 FROM generate_series(1, 300)";

/// How the disk is filled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// With a file on a small file system.
    Small,
    /// With a file size limit.
    Limit,
}

/// The means of filling the disk.
enum Disk {
    /// A separate file system, and the file that fills it.
    Small(Mount),
    /// A file size limit for the processes that write the database.
    Limit,
}

pub(crate) async fn on_sqlite(rig: &Rig) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for way in rig.scale.disks {
        let folder = tempfile::tempdir()?;
        let disk = match way {
            Way::Small => Disk::Small(Mount::at(folder.path())?),
            Way::Limit => Disk::Limit,
        };
        let file = folder.path().join("blog.db");
        let mut installation = Installation::new(&rig.program, &format!("sqlite:{}", file.display()))?;
        installation.set("MEDIA_DIR", &folder.path().join("media").display().to_string());
        let name = match way {
            Way::Small => "disk_sqlite_small",
            Way::Limit => "disk_sqlite_limit",
        };
        figures.extend(Trial { rig, installation, store: Store::Sqlite(file), disk }.run(name).await?);
        drop(folder);
    }
    Ok(figures)
}

pub(crate) async fn on_postgres(rig: &Rig) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    for way in rig.scale.disks {
        let folder = tempfile::tempdir()?;
        let postgres = Postgres::start()?;
        let disk = match way {
            Way::Small => {
                let mount = Mount::at(folder.path())?;
                let place = folder.path().join("tables");
                fs::create_dir(&place)?;
                own(&place)?;
                postgres.execute("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", place.display()))?;
                postgres.execute("postgres", "ALTER DATABASE app SET TABLESPACE small")?;
                Disk::Small(mount)
            }
            Way::Limit => Disk::Limit,
        };
        let installation = Installation::new(&rig.program, &Postgres::url(postgres.address))?;
        let name = match way {
            Way::Small => "disk_postgres_small",
            Way::Limit => "disk_postgres_limit",
        };
        let trial = Trial { rig, installation, store: Store::Postgres(Box::new(postgres)), disk };
        figures.extend(trial.run(name).await?);
        drop(folder);
    }
    Ok(figures)
}

struct Trial<'r> {
    rig: &'r Rig,
    installation: Installation,
    store: Store,
    disk: Disk,
}

impl Trial<'_> {
    async fn run(self, name: &'static str) -> Outcome<Vec<Figure>> {
        let address = free_address();
        let target = Target::plain(address);
        let instance = self.installation.start(&self.rig.program, address).await?;
        let load = Load::begin(&target, self.rig.scale.clients, &Arc::new(AtomicUsize::new(0)), AfterFailure::GoOn);
        until(|| load.writes() >= WRITES).await?;
        if let (Store::Postgres(postgres), Disk::Limit) = (&self.store, &self.disk) {
            postgres.execute("app", PREFILL)?;
        }
        let (mut slowest, mut unread) = (Duration::ZERO, Vec::new());
        for _ in 0..self.rig.scale.fills {
            let failed = load.failed();
            self.fill(&instance)?;
            until(|| load.failed() >= failed + FAILURES).await?;
            unread.extend(unanswered(&target).await);
            self.free(&instance)?;
            let (freed, written) = (Instant::now(), load.writes());
            until(|| load.writes() > written).await?;
            slowest = slowest.max(freed.elapsed());
            until(|| load.writes() > written + WRITES).await?;
        }
        let ledger = load.end().await;
        let lost = promises::broken(&target, &ledger).await?;
        instance.stop().await?;
        let damage = whole(&self.store).await.err().map(|broken| broken.to_string());
        Ok(figures(name, self.rig, &Seen { ledger, lost, unread, damage, slowest }))
    }

    fn fill(&self, instance: &Instance) -> Outcome<()> {
        match (&self.disk, &self.store) {
            (Disk::Small(mount), _) => mount.fill(),
            (Disk::Limit, Store::Sqlite(_)) => limit_files([instance.id()], "4096", prlimit),
            // Files as long as the table of posts cannot grow; WAL files are shorter.
            (Disk::Limit, Store::Postgres(postgres)) => {
                let length = postgres.execute("app", "SELECT pg_relation_size('posts')")?;
                postgres.limit_files(length.trim())
            }
        }
    }

    fn free(&self, instance: &Instance) -> Outcome<()> {
        match (&self.disk, &self.store) {
            (Disk::Small(mount), _) => mount.free(),
            (Disk::Limit, Store::Sqlite(_)) => limit_files([instance.id()], "unlimited", prlimit),
            (Disk::Limit, Store::Postgres(postgres)) => postgres.limit_files("unlimited"),
        }
    }
}

/// Results of a run.
struct Seen {
    ledger: Ledger,
    lost: Vec<String>,
    unread: Vec<String>,
    damage: Option<String>,
    slowest: Duration,
}

fn figures(name: &'static str, rig: &Rig, seen: &Seen) -> Vec<Figure> {
    let Seen { ledger, lost, unread, damage, slowest } = seen;
    println!("{name}: {}; {}", ledger.summary(), counts(ledger));
    let other = ledger.failures.iter().filter(|failure| !failure.how.starts_with("503 ")).count();
    let named = |what: &str| -> &'static str { Box::leak(format!("{name}_{what}").into_boxed_str()) };
    vec![
        Figure::new(named("fills"), rig.scale.fills as f64, Goal::None, format!("{} refused", ledger.failures.len())),
        Figure::new(named("healed_seconds"), slowest.as_secs_f64(), Goal::AtMost(HEALED_MAX_SECONDS), "the slowest"),
        Figure::new(named("other_than_503"), other as f64, Goal::AtMost(0.0), counts(ledger)),
        Figure::new(named("unread"), unread.len() as f64, Goal::AtMost(0.0), unread.join("; ")),
        Figure::new(named("lost"), lost.len() as f64, Goal::AtMost(0.0), lost.join("; ")),
        Figure::new(
            named("damaged"),
            f64::from(u8::from(damage.is_some())),
            Goal::AtMost(0.0),
            damage.clone().unwrap_or_default(),
        ),
    ]
}

/// Returns reads that fail while the disk is full, and refused writes without `Retry-After`.
async fn unanswered(target: &Target) -> Vec<String> {
    let mut client = Client::new(target);
    let mut wrong = Vec::new();
    let nobody = json!({ "username": "nobody", "email": "nobody@example.com", "password": "correct-horse" });
    match client.ask("POST /api/users", "", &Content::json(&nobody)).await {
        Ok(answer) if answer.status == 503 && answer.head.contains("\r\nretry-after: ") => {}
        // On PostgreSQL the pages of some tables still have room.
        Ok(answer) if answer.status == 201 || answer.status == 400 => {}
        Ok(answer) => wrong.push(format!("a registration: {} without Retry-After", answer.status)),
        Err(error) => wrong.push(format!("a registration: {error}")),
    }
    for what in ["GET /api/posts", "GET /", "GET /login"] {
        match client.ask(what, "", &Content::none()).await {
            Ok(answer) if answer.status == 200 => {}
            Ok(answer) => wrong.push(format!("{what}: {}", answer.status)),
            Err(error) => wrong.push(format!("{what}: {error}")),
        }
    }
    wrong
}

async fn until(is_so: impl Fn() -> bool) -> Outcome<()> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > STANDSTILL_MAX {
            return Err(Broken("the clients stand still".to_owned()));
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

fn prlimit() -> Command {
    Command::new("prlimit")
}

/// A small in-memory file system, unmounted when dropped. Mounting requires root.
struct Mount(PathBuf);

impl Mount {
    fn at(folder: &Path) -> Outcome<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={SIZE},mode=0755"), "tmpfs"])
            .arg(folder)
            .output()?;
        if mounted.status.success() {
            return Ok(Self(folder.to_owned()));
        }
        Err(Broken(format!("run this as root: {}", String::from_utf8_lossy(&mounted.stderr).trim())))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Fills it to the last byte.
    fn fill(&self) -> Outcome<()> {
        let mut file = File::create(self.filler())?;
        let block = vec![0; 64 * 1024];
        while file.write_all(&block).is_ok() {}
        Ok(())
    }

    fn free(&self) -> Outcome<()> {
        Ok(fs::remove_file(self.filler())?)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
