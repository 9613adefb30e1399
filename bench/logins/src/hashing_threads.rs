//! Processor time of the server's hashing threads, from `/proc`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bench_kit::broken::{Outcome, broken};
use bench_kit::machine::cpu_in_ticks;

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
        if found.is_empty() { broken("the server has no thread named `hashing`") } else { Ok(Self(found)) }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Their processor time so far: in nanoseconds where the kernel counts them, otherwise in its ticks.
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
