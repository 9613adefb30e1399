//! A closed loop of logins: each client sends the next when it has the answer to the last.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bench_kit::account::User;
use bench_kit::broken::{Outcome, broken};
use bench_kit::client::Connection;
use tokio::task::JoinSet;
use tokio::time::sleep;

const FIRST_ANSWERS_MAX: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(1);

/// Clients that log in without pause, each with its own user. Every answer has to be 200.
pub(crate) struct Logins {
    clients: JoinSet<Outcome<()>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answered: AtomicUsize,
    stopping: AtomicBool,
}

/// The number of logins that were answered in a window.
pub(crate) struct Rate {
    pub(crate) answered: usize,
    pub(crate) window: Duration,
}

impl Rate {
    pub(crate) fn per_second(&self) -> f64 {
        self.answered as f64 / self.window.as_secs_f64()
    }

    /// The time of one hash on one of `threads` busy threads.
    pub(crate) fn hash_time(&self, threads: usize) -> Duration {
        self.window.mul_f64(threads as f64 / self.answered.max(1) as f64)
    }
}

impl Logins {
    /// Starts `clients` clients and waits until the load is steady: until as many logins are answered as there are clients.
    pub(crate) async fn start(server: SocketAddr, source: Ipv4Addr, clients: usize) -> Outcome<Self> {
        let mut load = Self { clients: JoinSet::new(), shared: Arc::default() };
        for number in 0..clients {
            let mut client = Connection::open_from(source, server).await?;
            let shared = Arc::clone(&load.shared);
            load.clients.spawn(async move {
                let login = User(number).login();
                while !shared.stopping.load(Ordering::Relaxed) {
                    client.ask(&login).await?.expect(200)?;
                    shared.answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        let begun = Instant::now();
        while load.answered() < clients {
            if begun.elapsed() > FIRST_ANSWERS_MAX || load.clients.is_empty() {
                return broken(format!("{clients} logins were not answered within {FIRST_ANSWERS_MAX:?}"));
            }
            // A client that ends now is broken.
            if let Some(ended) = load.clients.try_join_next() {
                ended??;
            }
            sleep(POLL).await;
        }
        Ok(load)
    }

    pub(crate) fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// The rate over the next `window`.
    pub(crate) async fn rate(&self, window: Duration) -> Rate {
        let (begun, before) = (Instant::now(), self.answered());
        sleep(window).await;
        Rate { answered: self.answered() - before, window: begun.elapsed() }
    }

    /// Waits until every client has its last answer.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        self.shared.stopping.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended??;
        }
        Ok(())
    }
}
