//! Decides how Pillow is asked: a process that is kept, so that its start is not counted.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Bench;
use crate::broken::{Broken, Outcome};

pub(crate) struct Peer {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    pub(crate) version: String,
}

/// What Pillow made of a picture.
pub(crate) struct Made {
    pub(crate) cpu: Duration,
    pub(crate) bytes: usize,
}

impl Peer {
    pub(crate) fn start(bench: &Bench) -> Outcome<Self> {
        let mut process =
            Command::new(&bench.python).arg(&bench.peer).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(Broken("the peer has no pipes".to_owned()));
        };
        let mut peer = Self { process, input, output: BufReader::new(output), version: String::new() };
        peer.version = peer.line()?;
        Ok(peer)
    }

    /// In the way of the tutorial (`plain`), or decoding at a smaller scale first (`draft`), or as WebP.
    pub(crate) fn make(&mut self, way: &str, side: u32, path: &Path) -> Outcome<Made> {
        writeln!(self.input, "{way} {side} {}", path.display())?;
        let line = self.line()?;
        let made = line.split_once(' ').and_then(|(seconds, bytes)| {
            Some(Made { cpu: Duration::from_secs_f64(seconds.parse().ok()?), bytes: bytes.parse().ok()? })
        });
        made.ok_or_else(|| Broken(format!("the peer said {line:?}")))
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
