//! Pillow as the peer: a Python process that is kept and asked by lines.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use bench_kit::broken::{Broken, Outcome};
use bench_kit::process::Conversation;

use crate::Bench;

pub(crate) struct Peer {
    python: Conversation,
    pub(crate) version: String,
}

/// A picture that Pillow made.
pub(crate) struct Made {
    pub(crate) cpu: Duration,
    pub(crate) bytes: usize,
}

impl Peer {
    pub(crate) fn start(bench: &Bench) -> Outcome<Self> {
        let mut python = Conversation::start(Command::new(&bench.python).arg(&bench.peer))?;
        let version = python.line()?;
        Ok(Self { python, version })
    }

    /// Like the tutorial (`plain`), decoding at a smaller scale first (`draft`), or as WebP.
    pub(crate) fn make(&mut self, way: &str, side: u32, path: &Path) -> Outcome<Made> {
        let line = self.python.ask(format_args!("{way} {side} {}", path.display()))?;
        let made = line.split_once(' ').and_then(|(seconds, bytes)| {
            Some(Made { cpu: Duration::from_secs_f64(seconds.parse().ok()?), bytes: bytes.parse().ok()? })
        });
        made.ok_or_else(|| Broken(format!("the peer said {line:?}")))
    }
}
