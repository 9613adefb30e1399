//! Decides how logins are kept coming: each client sends the next when it has the answer to the one before.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::broken::{Broken, Outcome};
use crate::client::{Client, User};

const FIRST_ANSWERS_MAX: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(1);

/// Clients that log in without pause, each as a user of its own. Every answer has to be 200.
pub(crate) struct Logins {
    clients: JoinSet<Outcome<()>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    answered: AtomicUsize,
    stopping: AtomicBool,
}

/// How many logins were answered in which time.
pub(crate) struct Rate {
    pub(crate) answered: usize,
    pub(crate) window: Duration,
}

impl Rate {
    pub(crate) fn per_second(&self) -> f64 {
        self.answered as f64 / self.window.as_secs_f64()
    }

    /// How long one of `threads` threads takes for one hash when all are busy.
    pub(crate) fn hash_time(&self, threads: usize) -> Duration {
        self.window.mul_f64(threads as f64 / self.answered.max(1) as f64)
    }
}

impl Logins {
    /// Starts `clients` clients; the load is steady when this returns, as many logins have been answered as there are clients.
    pub(crate) async fn start(server: SocketAddr, source: Ipv4Addr, clients: usize) -> Outcome<Self> {
        let mut load = Self { clients: JoinSet::new(), shared: Arc::default() };
        for number in 0..clients {
            let mut client = Client::connect_from(source, server).await?;
            let shared = Arc::clone(&load.shared);
            load.clients.spawn(async move {
                let user = User::numbered(number);
                while !shared.stopping.load(Ordering::Relaxed) {
                    client.send(user.login()).await?.expect(StatusCode::OK)?;
                    shared.answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        let begun = Instant::now();
        while load.answered() < clients {
            if begun.elapsed() > FIRST_ANSWERS_MAX || load.clients.is_empty() {
                return Err(Broken(format!("{clients} logins were not answered within {FIRST_ANSWERS_MAX:?}")));
            }
            // None of them ends before it is told, unless it broke.
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

    /// The rate from now on.
    pub(crate) async fn rate(&self, window: Duration) -> Rate {
        let (begun, before) = (Instant::now(), self.answered());
        sleep(window).await;
        Rate { answered: self.answered() - before, window: begun.elapsed() }
    }

    /// Lets every client have its last answer.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        self.shared.stopping.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended??;
        }
        Ok(())
    }
}
