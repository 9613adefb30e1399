//! Metrics of the process, as reported by the system.

use std::fs;

use rustix::process::Resource;
use rustix::time::{ClockId, clock_gettime};

/// Resource usage of the process; `None` if the system does not report it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Process {
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) open_files_max: Option<u64>,
}

impl Process {
    pub(super) fn read() -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Self {
            cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            resident_bytes: fs::read_to_string("/proc/self/status").ok().and_then(|status| resident_bytes(&status)),
            open_files: fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
            open_files_max: rustix::process::getrlimit(Resource::Nofile).current,
        }
    }
}

/// Parses the line `VmRSS:    12345 kB`.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_understood() {
        assert_eq!(resident_bytes("VmHWM:\t  200 kB\nVmRSS:\t  123 kB\nRssAnon: 1 kB\n"), Some(123 * 1024));
        assert_eq!(resident_bytes("VmHWM:\t  200 kB\n"), None);
    }
}
