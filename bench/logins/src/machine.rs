//! Decides what is known of the machine: what it is, how busy it is, and who keeps it busy.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::broken::{Broken, Outcome, While as _};

/// Five thousand clients, and room. The server takes as many as it needs.
const OPEN_FILES: u64 = 8192;
/// Above this load average something else is at work.
const QUIET_LOAD_MAX: f64 = 1.0;
/// Above this share of all cores something else has disturbed what was measured.
const QUIET_SHARE_MAX: f64 = 0.10;

pub(crate) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// What the machine is, and whether it had anything else to do.
pub(crate) struct Description {
    model: String,
    load: f64,
}

impl Description {
    pub(crate) fn read() -> Outcome<Self> {
        let cpus = read(Path::new("/proc/cpuinfo"))?;
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.trim_start().strip_prefix(": "));
        let load = read(Path::new("/proc/loadavg"))?;
        let load = load.split(' ').next().and_then(|load| load.parse().ok());
        Ok(Self {
            model: model.unwrap_or("unknown processor").to_owned(),
            load: load.ok_or_else(|| Broken("/proc/loadavg has no figure".to_owned()))?,
        })
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "machine: {} cores, {}, load average {:.2} at start", cores(), self.model, self.load)?;
        if self.load > QUIET_LOAD_MAX {
            write!(f, "\nguard: not quiet; ratios only")?;
        }
        Ok(())
    }
}

/// Lets this process, and the servers it starts, have some thousand connections.
pub(crate) fn raise_open_files() -> Outcome<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < OPEN_FILES) {
        let current = limit.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum })
            .doing("asking for more open files")?;
        if current < OPEN_FILES {
            return Err(Broken(format!("{OPEN_FILES} open files are needed, the system allows {current}")));
        }
    }
    Ok(())
}

/// How much processor time everybody has had so far.
pub(crate) struct Usage {
    at: Instant,
    all: Duration,
    server: Duration,
    own: Duration,
    process: u32,
}

/// What share of all cores everybody had for a while.
pub(crate) struct Shares {
    server: f64,
    generator: f64,
    others: f64,
}

impl Usage {
    pub(crate) fn now(process: u32) -> Outcome<Self> {
        Ok(Self {
            at: Instant::now(),
            all: all_busy()?,
            server: cpu_in_ticks(&PathBuf::from(format!("/proc/{process}/stat")))?,
            own: own_cpu()?,
            process,
        })
    }

    pub(crate) fn since(&self) -> Outcome<Shares> {
        let now = Self::now(self.process)?;
        let available = (now.at - self.at).as_secs_f64() * cores() as f64;
        let share = |spent: Duration| spent.as_secs_f64() / available;
        let (server, generator) = (now.server.saturating_sub(self.server), now.own.saturating_sub(self.own));
        let others = now.all.saturating_sub(self.all).saturating_sub(server + generator);
        Ok(Shares { server: share(server), generator: share(generator), others: share(others) })
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [server, generator, others] = [self.server, self.generator, self.others].map(|share| share * 100.0);
        write!(f, "processor: server {server:.0} %, this generator {generator:.1} %, others {others:.0} %")?;
        if self.others > QUIET_SHARE_MAX {
            write!(f, " (guard: disturbed)")?;
        }
        Ok(())
    }
}

/// What this process has spent so far.
pub(crate) fn own_cpu() -> Outcome<Duration> {
    let own = clock_gettime(ClockId::ProcessCPUTime);
    Ok(Duration::new(own.tv_sec.try_into()?, own.tv_nsec.try_into()?))
}

/// How often, since the machine was started, a connection had to wait because a listener's backlog was full.
pub(crate) fn listen_overflows() -> Outcome<u64> {
    let text = read(Path::new("/proc/net/netstat"))?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut fields = names.split(' ').zip(values.split(' '));
    let found = fields.find(|(name, _)| *name == "ListenOverflows").and_then(|(_, value)| value.parse().ok());
    found.ok_or_else(|| Broken("/proc/net/netstat has no ListenOverflows".to_owned()))
}

/// Of all processes, on all cores.
pub(crate) fn all_busy() -> Outcome<Duration> {
    let text = read(Path::new("/proc/stat"))?;
    let line = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; guests are counted in user and nice already.
    let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).map_while(|field| field.parse().ok()).collect();
    match ticks[..] {
        [user, nice, system, _, _, irq, softirq, steal] => Ok(from_ticks(user + nice + system + irq + softirq + steal)),
        _ => Err(Broken(format!("/proc/stat is not understood: {line}"))),
    }
}

/// `utime` and `stime` of a process or a thread.
pub(crate) fn cpu_in_ticks(path: &Path) -> Outcome<Duration> {
    let text = read(path)?;
    // The name may contain anything, but ends with the last bracket.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(2).map_while(|field| field.parse().ok()).collect();
    match ticks[..] {
        [user, system] => Ok(from_ticks(user + system)),
        _ => Err(Broken(format!("{} is not understood", path.display()))),
    }
}

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64)
}

fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).doing(path.display())
}

/// Resident memory of a process, in bytes.
pub(crate) struct Resident {
    pub(crate) now: u64,
    /// The most since it was started.
    pub(crate) peak: u64,
}

impl Resident {
    pub(crate) fn read(process: u32) -> Outcome<Self> {
        let path = PathBuf::from(format!("/proc/{process}/status"));
        let text = read(&path)?;
        let bytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
        };
        match (bytes("VmRSS:"), bytes("VmHWM:")) {
            (Some(now), Some(peak)) => Ok(Self { now, peak }),
            _ => Err(Broken(format!("{} does not tell the resident memory", path.display()))),
        }
    }
}

/// The threads of the server that hash.
pub(crate) struct HashingThreads(Vec<PathBuf>);

impl HashingThreads {
    pub(crate) fn find(process: u32) -> Outcome<Self> {
        let mut found = Vec::new();
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let folder = thread?.path();
            // A thread that has ended meanwhile did not hash.
            if fs::read_to_string(folder.join("comm")).is_ok_and(|name| name.trim_end() == "hashing") {
                found.push(folder);
            }
        }
        if found.is_empty() {
            return Err(Broken("the server has no thread named `hashing`".to_owned()));
        }
        Ok(Self(found))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// What they have spent so far: in nanoseconds where the kernel counts them, otherwise in its ticks.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let mut sum = Duration::ZERO;
        for folder in &self.0 {
            let precise = fs::read_to_string(folder.join("schedstat")).ok();
            let precise = precise.and_then(|text| text.split(' ').next()?.parse().ok()).map(Duration::from_nanos);
            sum += match precise {
                Some(precise) => precise,
                None => cpu_in_ticks(&folder.join("stat"))?,
            };
        }
        Ok(sum)
    }
}
