//! Writes log lines in batches, so that requests do not wait for the log, but warnings and errors at once.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Maximum time to wait for more lines. The first line after a pause is written without waiting.
const GATHER_MAX: Duration = Duration::from_millis(20);
/// Buffer size at which the thread that logs writes the buffer itself, which slows it to the log's reader. No line is
/// ever dropped.
const WAITING_BYTES_MAX: usize = 64 * 1024;

/// Lines on their way to standard error.
pub(crate) struct Lines {
    waiting: Mutex<Vec<u8>>,
    /// The lines being written. Locked while writing, which keeps the order.
    writing: Mutex<Vec<u8>>,
    /// The thread that writes batches.
    writer: OnceLock<Thread>,
}

/// A log line that is being added.
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

    /// Starts the writer thread. Without one, every line is written at once.
    pub(crate) fn gather(&'static self) {
        let started = thread::Builder::new().name("log".to_owned()).spawn(|| {
            loop {
                thread::park();
                self.flush();
                thread::sleep(GATHER_MAX);
            }
        });
        if let Ok(started) = started {
            // A second thread would have nothing to do.
            let _ = self.writer.set(started.thread().clone());
        }
    }

    /// Writes all pending lines.
    pub(crate) fn flush(&self) {
        let mut writing = lock(&self.writing);
        std::mem::swap(&mut *writing, &mut *lock(&self.waiting));
        // If standard error is closed, the error cannot be reported anywhere.
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
    /// Receives a whole line from the formatting layer.
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
    // Worst case is a partial line, if memory ran out.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
