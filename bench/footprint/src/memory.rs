//! Memory of a process by who could free it, from `smaps_rollup`.

use std::fs;

use bench_kit::broken::{Broken, Outcome, While as _};
use bench_kit::machine::kibibytes;

/// In MiB.
pub(crate) struct Memory {
    /// Everything that is mapped and in memory, the program's file included (RSS).
    pub(crate) resident: f64,
    /// The same, with pages that several processes map divided among them (PSS).
    pub(crate) proportional: f64,
    /// Memory that is in no file, so that it cannot be dropped and read again.
    pub(crate) own: f64,
}

impl Memory {
    pub(crate) fn read(process: u32) -> Outcome<Self> {
        let path = format!("/proc/{process}/smaps_rollup");
        let text = fs::read_to_string(&path).doing(&path)?;
        let mebibytes = |name: &str| {
            let found = kibibytes(&text, name).map(|kibibytes| kibibytes as f64 / 1024.0);
            found.ok_or_else(|| Broken(format!("{path} has no {name}")))
        };
        Ok(Self { resident: mebibytes("Rss:")?, proportional: mebibytes("Pss:")?, own: mebibytes("Anonymous:")? })
    }
}
