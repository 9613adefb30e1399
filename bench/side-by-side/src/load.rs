//! A closed loop of requests: each client sends the next when it has the answer to the last.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bench_kit::broken::{Outcome, broken};
use bench_kit::client::Connection;
use bench_kit::server::Server;
use bench_kit::usage::Spent;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

/// After a failed request.
const PAUSE: Duration = Duration::from_millis(10);

/// How many clients send, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) clients: usize,
    /// New requests begin for this long; those under way are then still answered. Each client sends at least one.
    pub(crate) window: Duration,
    /// Clients that still wait then give up.
    pub(crate) deadline: Duration,
    /// The status of a good answer.
    pub(crate) status: u16,
}

/// The results.
pub(crate) struct Load {
    pub(crate) answered: usize,
    /// Answers with 503, as an overloaded server gives.
    pub(crate) refused: usize,
    /// Other answers, and requests without one.
    pub(crate) failed: usize,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// Times of good answers, in milliseconds.
    pub(crate) latencies: Vec<f64>,
    pub(crate) spent: Spent,
    first_failure: String,
}

impl Load {
    pub(crate) fn rate(&self) -> f64 {
        self.answered as f64 / self.elapsed.as_secs_f64()
    }

    /// The server's processor time for each good answer.
    pub(crate) fn cpu(&self) -> Duration {
        self.spent.server.div_f64(self.answered.max(1) as f64)
    }

    /// Refuses failed requests. A server may answer 503, but not to all.
    pub(crate) fn whole(self) -> Outcome<Self> {
        if self.failed == 0 && self.answered > 0 { Ok(self) } else { broken(self.summary()) }
    }

    pub(crate) fn summary(&self) -> String {
        let Self { answered, refused, failed, first_failure, .. } = self;
        let failures = if *failed == 0 { String::new() } else { format!(", {failed} failed ({first_failure})") };
        let refusals = if *refused == 0 { String::new() } else { format!(", {refused} refused with 503") };
        format!("{answered} answered{refusals}{failures}")
    }
}

#[derive(Default)]
struct Shared {
    next: AtomicUsize,
    answered: AtomicUsize,
    refused: AtomicUsize,
    failed: AtomicUsize,
    first_failure: Mutex<String>,
}

impl Shared {
    fn fail(&self, text: impl FnOnce() -> String) {
        if self.failed.fetch_add(1, Ordering::Relaxed) == 0 {
            *self.first_failure.lock().unwrap_or_else(PoisonError::into_inner) = text();
        }
    }
}

/// Sends the requests in turn over new connections, which are kept.
pub(crate) async fn run(server: &Server, plan: Plan, requests: &Arc<Vec<Vec<u8>>>) -> Outcome<Load> {
    let mut connections = Vec::new();
    for _ in 0..plan.clients {
        connections.push(Connection::open(server.address).await?);
    }
    let shared = Arc::new(Shared::default());
    let usage = server.usage()?;
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for connection in connections {
        clients.spawn(client(server.address, connection, plan, begun, Arc::clone(&shared), Arc::clone(requests)));
    }
    let (mut latencies, mut last) = (Vec::new(), Duration::ZERO);
    let deadline = (begun + plan.deadline).into();
    while let Ok(Some(ended)) = timeout_at(deadline, clients.join_next()).await {
        let (own, ended) = ended?;
        latencies.extend(own);
        last = last.max(ended);
    }
    let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
    let (answered, refused, failed) = (count(&shared.answered), count(&shared.refused), count(&shared.failed));
    let abandoned = count(&shared.next).saturating_sub(answered + refused + failed);
    let elapsed = if abandoned > 0 { begun.elapsed() } else { last };
    let spent = usage.since()?;
    drop(clients);
    let mut first_failure = shared.first_failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if first_failure.is_empty() && abandoned > 0 {
        first_failure = format!("no answer within {:?}", plan.deadline);
    }
    Ok(Load { answered, refused, failed: failed + abandoned, elapsed, latencies, spent, first_failure })
}

/// The times of good answers in milliseconds, and the time of the last answer.
async fn client(
    address: std::net::SocketAddr,
    mut connection: Connection,
    plan: Plan,
    begun: Instant,
    shared: Arc<Shared>,
    requests: Arc<Vec<Vec<u8>>>,
) -> (Vec<f64>, Duration) {
    let mut latencies = Vec::new();
    loop {
        let request = &requests[shared.next.fetch_add(1, Ordering::Relaxed) % requests.len()];
        let sent = begun.elapsed();
        match connection.exchange(request).await {
            Ok(answer) if answer.status == plan.status => {
                latencies.push(begun.elapsed().saturating_sub(sent).as_secs_f64() * 1e3);
                shared.answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) if answer.status == 503 => {
                shared.refused.fetch_add(1, Ordering::Relaxed);
                sleep(PAUSE).await;
            }
            Ok(answer) => {
                shared.fail(|| format!("{}: {}", answer.status, answer.text()));
                sleep(PAUSE).await;
            }
            Err(error) => {
                shared.fail(|| error.to_string());
                sleep(PAUSE).await;
                if let Ok(anew) = Connection::open(address).await {
                    connection = anew;
                }
            }
        }
        let now = begun.elapsed();
        if now >= plan.window {
            return (latencies, now);
        }
    }
}
