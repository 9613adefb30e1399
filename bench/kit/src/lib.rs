//! Shared code of the benchmarks: processes and servers to measure, clients to load them, the machine's counters, and the
//! statistics and tables that turn measurements into figures.

pub mod account;
pub mod bare;
pub mod broken;
pub mod client;
pub mod engine;
pub mod machine;
pub mod open_loop;
pub mod parts;
pub mod postgres;
pub mod process;
pub mod report;
pub mod rounds;
pub mod server;
pub mod statistics;
pub mod usage;

use std::process::{ExitCode, Termination};
use std::time::Duration;

use tokio::runtime::Runtime;

use broken::{Broken, Outcome};

/// Runs a benchmark and prints what broke. A signal ends its servers together with it.
pub fn run<T: Termination>(bench: impl FnOnce() -> Outcome<T>) -> ExitCode {
    match process::end_with_signals().and_then(|()| bench()) {
        Ok(ended) => ended.report(),
        Err(Broken(text)) => {
            eprintln!("broken: {text}");
            ExitCode::FAILURE
        }
    }
}

/// The runtime of a load generator, which shares the cores with the server.
pub fn runtime() -> Outcome<Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Lets the servers come to rest after a measurement.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(30)).await;
}
