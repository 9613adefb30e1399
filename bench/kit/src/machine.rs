//! The machine's counters in `/proc`: what the machine is, how busy its cores are, and how much memory processes hold.

use std::fmt;
use std::fs;
use std::path::Path;
use std::thread::available_parallelism;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::broken::{Outcome, While as _, broken};

pub const MIB: f64 = 1024.0 * 1024.0;
/// Above this load average another program is at work.
const QUIET_LOAD_MAX: f64 = 1.0;

pub fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// What the machine is, and how busy it was before the run.
pub struct Description {
    model: String,
    load: f64,
}

impl Description {
    pub fn read() -> Outcome<Self> {
        let cpus = read("/proc/cpuinfo")?;
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.trim_start().strip_prefix(": "));
        Ok(Self { model: model.unwrap_or("unknown processor").to_owned(), load: load_average()? })
    }

    /// Cores, processor, memory and kernel.
    pub fn hardware(&self) -> Outcome<String> {
        let gib = memory("MemTotal:")? as f64 / f64::from(1 << 30);
        let kernel = rustix::system::uname();
        Ok(format!("{} cores, {}, {gib:.0} GiB, Linux {}", cores(), self.model, kernel.release().to_string_lossy()))
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

/// The load average of the last minute.
pub fn load_average() -> Outcome<f64> {
    let text = read("/proc/loadavg")?;
    let first = text.split(' ').next().and_then(|load| load.parse().ok());
    first.map_or_else(|| broken("/proc/loadavg has no figure"), Ok)
}

/// A line of `/proc/meminfo`, in bytes.
pub fn memory(name: &str) -> Outcome<u64> {
    match kibibytes(&read("/proc/meminfo")?, name) {
        Some(kibibytes) => Ok(kibibytes * 1024),
        None => broken(format!("/proc/meminfo has no {name}")),
    }
}

/// The value of a line such as `VmRSS:  1234 kB`.
pub fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Allows this process, and the servers it starts, at least `files` open files.
pub fn raise_open_files(files: u64) -> Outcome<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < files) {
        let current = limit.maximum.map_or(files, |maximum| maximum.min(files));
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum })
            .doing("asking for more open files")?;
        if current < files {
            return broken(format!("{files} open files are needed, the system allows {current}"));
        }
    }
    Ok(())
}

/// Processor time of this process so far.
pub fn own_cpu() -> Outcome<Duration> {
    let own = clock_gettime(ClockId::ProcessCPUTime);
    Ok(Duration::new(own.tv_sec.try_into()?, own.tv_nsec.try_into()?))
}

/// Processor time of all processes on all cores so far.
pub fn all_busy() -> Outcome<Duration> {
    let text = read("/proc/stat")?;
    let line = text.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; guests are counted in user and nice already.
    let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).map_while(|field| field.parse().ok()).collect();
    match ticks[..] {
        [user, nice, system, _, _, irq, softirq, steal] => Ok(from_ticks(user + nice + system + irq + softirq + steal)),
        _ => broken(format!("/proc/stat is not understood: {line}")),
    }
}

/// Processor time of a process on all its threads so far.
pub fn process_cpu(process: u32) -> Outcome<Duration> {
    cpu_in_ticks(Path::new(&format!("/proc/{process}/stat")))
}

/// `utime` and `stime` of the `stat` file of a process or a thread.
pub fn cpu_in_ticks(path: &Path) -> Outcome<Duration> {
    let text = fs::read_to_string(path).doing(path.display())?;
    match Stat::parse(&text) {
        Some(stat) => Ok(stat.cpu),
        None => broken(format!("{} is not understood", path.display())),
    }
}

/// A `stat` file of a process or a thread.
pub(crate) struct Stat {
    pub(crate) id: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) cpu: Duration,
}

impl Stat {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // The name may contain anything, but ends with the last bracket.
        let (before, after) = text.rsplit_once(')')?;
        let fields: Vec<&str> = after.split_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        Some(Self {
            id: before.split(' ').next()?.parse().ok()?,
            parent: number(1)? as u32,
            group: number(2)? as u32,
            cpu: from_ticks(number(11)? + number(12)?),
        })
    }
}

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64)
}

fn read(path: &str) -> Outcome<String> {
    fs::read_to_string(path).doing(path)
}

/// Resident memory, in bytes.
#[derive(Default)]
pub struct Resident {
    pub now: u64,
    /// The most since the process was started.
    pub peak: u64,
}

impl Resident {
    pub fn read(process: u32) -> Outcome<Self> {
        let path = format!("/proc/{process}/status");
        let text = read(&path)?;
        match (kibibytes(&text, "VmRSS:"), kibibytes(&text, "VmHWM:")) {
            (Some(now), Some(peak)) => Ok(Self { now: now * 1024, peak: peak * 1024 }),
            _ => broken(format!("{path} does not tell the resident memory")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_called_anything() {
        let text = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 100 50 0 0 20 0 1 0 5 6 7";
        let stat = Stat::parse(text).expect("a whole line");
        assert_eq!((stat.id, stat.parent, stat.group, stat.cpu), (42, 7, 42, from_ticks(150)));
    }
}
