//! Decides when lines of the log are written: many together, so that a request does not wait for the log, and at once where
//! a line tells of trouble.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// So long lines may wait for others to be written with. The first after a silence does not.
const GATHER_MAX: Duration = Duration::from_millis(20);
/// When so much is waiting, whoever adds to it writes it, at the speed of the log's reader. Nothing is ever dropped.
const WAITING_BYTES_MAX: usize = 64 * 1024;

/// Lines on their way to standard error.
pub(crate) struct Lines {
    waiting: Mutex<Vec<u8>>,
    /// What is being written; held so long, which keeps the lines in order.
    writing: Mutex<Vec<u8>>,
    /// Who writes what has waited.
    writer: OnceLock<Thread>,
}

/// A line of the log, as it is being added.
pub(crate) struct Line {
    lines: &'static Lines,
    urgency: Urgency,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// It may be the last line before the process ends.
    AtOnce,
    MayWait,
}

impl Lines {
    pub(crate) const fn new() -> Self {
        Self { waiting: Mutex::new(Vec::new()), writing: Mutex::new(Vec::new()), writer: OnceLock::new() }
    }

    /// Starts the thread that writes. Without one, every line is written at once.
    pub(crate) fn gather(&'static self) {
        let started = thread::Builder::new().name("log".to_owned()).spawn(|| {
            loop {
                thread::park();
                self.flush();
                thread::sleep(GATHER_MAX);
            }
        });
        if let Ok(started) = started {
            // A second thread would find nothing to do.
            let _ = self.writer.set(started.thread().clone());
        }
    }

    /// Writes everything that waits.
    pub(crate) fn flush(&self) {
        let mut writing = lock(&self.writing);
        std::mem::swap(&mut *writing, &mut *lock(&self.waiting));
        // Where the log's reader has gone away, nobody is left to be told.
        let _ = io::stderr().write_all(&writing);
        writing.clear();
    }

    fn add(&self, line: &[u8], urgency: Urgency) {
        let mut waiting = lock(&self.waiting);
        let is_first = waiting.is_empty();
        waiting.extend_from_slice(line);
        let is_full = waiting.len() >= WAITING_BYTES_MAX;
        drop(waiting);
        match self.writer.get() {
            Some(writer) if urgency == Urgency::MayWait && !is_full => {
                if is_first {
                    writer.unpark();
                }
            }
            _ => self.flush(),
        }
    }
}

impl Write for Line {
    /// Takes a whole line, as the formatting layer hands it over.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.add(line, self.urgency);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for &'static Lines {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line { lines: self, urgency: Urgency::AtOnce }
    }

    fn make_writer_for(&self, event: &Metadata<'_>) -> Line {
        let urgency = if *event.level() <= Level::WARN { Urgency::AtOnce } else { Urgency::MayWait };
        Line { lines: self, urgency }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Half a line at the worst, if memory ran out.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
