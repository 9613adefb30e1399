//! Decides what belongs to a server, however many processes it is made of, and what all of them take together.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::broken::{Broken, Outcome, While as _};
use crate::machine::{Resident, all_busy, cores, own_cpu};

/// How often the memory of a server is looked at that may take too much.
const WATCH_PERIOD: Duration = Duration::from_millis(20);

/// A server's process, those it started, and theirs.
#[derive(Clone, Copy)]
pub(crate) struct Tree(pub(crate) u32);

struct Process {
    id: u32,
    parent: u32,
    group: u32,
    cpu: Duration,
}

impl Process {
    /// `None` if it has ended meanwhile.
    fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join("stat")).ok()?;
        // The name may contain anything, but ends with the last bracket.
        let (before, after) = text.rsplit_once(')')?;
        let id = before.split(' ').next()?.parse().ok()?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        let ticks = number(11)? + number(12)?;
        let cpu = Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64);
        Some(Self { id, parent: number(1)? as u32, group: number(2)? as u32, cpu })
    }
}

impl Tree {
    fn processes(self) -> Outcome<Vec<Process>> {
        let all: Vec<Process> =
            fs::read_dir("/proc")?.flatten().filter_map(|entry| Process::read(&entry.path())).collect();
        let mut members = vec![self.0];
        loop {
            let more: Vec<u32> = all
                .iter()
                .filter(|process| process.group == self.0 || members.contains(&process.parent))
                .map(|process| process.id)
                .filter(|id| !members.contains(id))
                .collect();
            if more.is_empty() {
                break;
            }
            members.extend(more);
        }
        Ok(all.into_iter().filter(|process| members.contains(&process.id)).collect())
    }

    /// The processor time of all that still run.
    pub(crate) fn cpu(self) -> Outcome<Duration> {
        Ok(self.processes()?.iter().map(|process| process.cpu).sum())
    }

    /// The sum over all, so what they share counts more than once.
    pub(crate) fn resident(self) -> Outcome<Resident> {
        let mut sum = Resident { now: 0, peak: 0 };
        for process in self.processes()? {
            // One that ended meanwhile has none.
            if let Ok(one) = Resident::read(process.id) {
                sum.now += one.now;
                sum.peak += one.peak;
            }
        }
        Ok(sum)
    }

    /// The file that the first of them runs.
    pub(crate) fn program(self) -> Outcome<PathBuf> {
        fs::read_link(format!("/proc/{}/exe", self.0)).doing("the server's program")
    }

    /// Ends all that it started, whatever they do.
    pub(crate) fn kill(self) {
        let group = i32::try_from(self.0).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // They may have ended already.
            let _: rustix::io::Result<()> = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Who has had how much processor time so far.
pub(crate) struct Usage {
    at: Instant,
    all: Duration,
    own: Duration,
    server: Duration,
    beside: Duration,
}

/// What a measurement cost.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    /// Processor time of the server.
    pub(crate) server: Duration,
    /// What the load generator took, as a share of all cores.
    pub(crate) generator: f64,
    /// What was taken by neither of them nor by the database, likewise.
    pub(crate) others: f64,
}

impl Usage {
    /// `beside` is what works for the server, such as its database.
    pub(crate) fn now(server: Tree, beside: Option<Tree>) -> Outcome<Self> {
        Ok(Self {
            at: Instant::now(),
            all: all_busy()?,
            own: own_cpu()?,
            server: server.cpu()?,
            beside: beside.map_or(Ok(Duration::ZERO), Tree::cpu)?,
        })
    }

    pub(crate) fn since(&self, server: Tree, beside: Option<Tree>) -> Outcome<Spent> {
        let now = Self::now(server, beside)?;
        let available = (now.at - self.at).as_secs_f64() * cores() as f64;
        let [all, own, server, beside] =
            [(now.all, self.all), (now.own, self.own), (now.server, self.server), (now.beside, self.beside)]
                .map(|(now, before)| now.saturating_sub(before));
        let others = all.saturating_sub(own + server + beside);
        Ok(Spent { server, generator: own.as_secs_f64() / available, others: others.as_secs_f64() / available })
    }
}

/// Kills a server before it takes all memory of the machine.
pub(crate) struct Watch {
    is_over: Arc<AtomicBool>,
    killed_at: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Watch {
    /// It may take two thirds of what is free now.
    pub(crate) fn start(server: Tree) -> Outcome<Self> {
        let most = memory("MemAvailable:")? / 3 * 2;
        let (is_over, killed_at) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (over, killed) = (Arc::clone(&is_over), Arc::clone(&killed_at));
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let now = server.resident().map_or(0, |resident| resident.now);
                if now > most {
                    server.kill();
                    killed.store(now, Ordering::Relaxed);
                    break;
                }
                thread::sleep(WATCH_PERIOD);
            }
        })?;
        Ok(Self { is_over, killed_at, thread })
    }

    /// How much the server had when it was killed; `None` if it was not.
    pub(crate) fn stop(self) -> Outcome<Option<u64>> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| Broken("the thread that watches a server ended unexpectedly".to_owned()))?;
        Ok(Some(self.killed_at.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0))
    }
}

/// A line of `/proc/meminfo`, in bytes.
pub(crate) fn memory(name: &str) -> Outcome<u64> {
    let text = fs::read_to_string("/proc/meminfo").doing("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| Broken(format!("/proc/meminfo has no {name}")))
}

/// What a file, or everything in a folder, takes.
pub(crate) fn bytes_on_disk(path: &Path) -> Outcome<u64> {
    let metadata = fs::symlink_metadata(path).doing(path.display())?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut sum = 0;
    for entry in fs::read_dir(path).doing(path.display())? {
        sum += bytes_on_disk(&entry?.path())?;
    }
    Ok(sum)
}

/// Of the last minute.
pub(crate) fn load_average() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/loadavg").doing("/proc/loadavg")?;
    let first = text.split(' ').next().and_then(|load| load.parse().ok());
    first.ok_or_else(|| Broken("/proc/loadavg has no figure".to_owned()))
}

/// What all of it ran on.
pub(crate) fn machine() -> Outcome<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo").doing("/proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.trim_start().strip_prefix(": "));
    let gib = memory("MemTotal:")? as f64 / f64::from(1 << 30);
    let kernel = rustix::system::uname();
    let release = kernel.release().to_string_lossy();
    Ok(format!("{} cores, {}, {gib:.0} GiB, Linux {release}", cores(), model.unwrap_or("unknown processor")))
}
