//! The memory available to this process: the machine's, or less if a control group limits it.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the available memory in bytes; `None` if the system does not report it.
pub(super) fn memory_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_bytes(&text));
    let group = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| group_limit_bytes(&text));
    machine.into_iter().chain(group).min()
}

/// Parses the line `MemTotal:       24645204 kB`.
fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Returns the strictest limit of the control group and its ancestors (version 2: `0::/path`; version 1 has a separate
/// memory hierarchy: `9:memory:/path`).
fn group_limit_bytes(membership: &str) -> Option<u64> {
    let limits = membership.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        match (fields.next()?, fields.next()?) {
            ("", path) => Some((Path::new("/sys/fs/cgroup"), path, "memory.max")),
            ("memory", path) => Some((Path::new("/sys/fs/cgroup/memory"), path, "memory.limit_in_bytes")),
            _ => None,
        }
    });
    let files = limits.flat_map(|(root, path, file)| {
        // In a container, the group's own folder may be mounted as the root.
        let relative = PathBuf::from(path.trim_start_matches('/'));
        relative.ancestors().map(|folder| root.join(folder).join(file)).collect::<Vec<_>>()
    });
    files.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_own_words_are_read() {
        assert_eq!(total_bytes("MemTotal:       24645204 kB\nMemFree: 1 kB\n"), Some(24_645_204 * 1024));
        assert_eq!(total_bytes("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn a_group_without_a_limit_has_none() {
        assert_eq!(group_limit_bytes("0::/no/such/group/here\n1:cpu:/\n"), group_limit_bytes("0::/\n"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_has_memory() {
        assert!(memory_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
