//! Kills a server before it takes all memory of the machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bench_kit::broken::{Broken, Outcome};
use bench_kit::machine::memory;
use bench_kit::process::Tree;

const PERIOD: Duration = Duration::from_millis(20);

pub(crate) struct Watch {
    is_over: Arc<AtomicBool>,
    killed_at: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Watch {
    /// The server may take two thirds of the memory that is free now.
    pub(crate) fn start(server: Tree) -> Outcome<Self> {
        let most = memory("MemAvailable:")? / 3 * 2;
        let (is_over, killed_at) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (over, killed) = (Arc::clone(&is_over), Arc::clone(&killed_at));
        let thread = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let now = server.resident().map_or(0, |resident| resident.now);
                if now > most {
                    server.kill();
                    killed.store(now, Ordering::Relaxed);
                    break;
                }
                thread::sleep(PERIOD);
            }
        })?;
        Ok(Self { is_over, killed_at, thread })
    }

    /// The memory of the server when it was killed; `None` if it was not.
    pub(crate) fn stop(self) -> Outcome<Option<u64>> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| Broken("the thread that watches a server ended unexpectedly".to_owned()))?;
        Ok(Some(self.killed_at.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0))
    }
}
