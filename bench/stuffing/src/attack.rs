//! The attacker: leaked passwords from many addresses at a fixed rate, whatever the answers are.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bench_kit::broken::{Outcome, broken};
use bench_kit::client::Connection;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::client::{login, status};

/// More than attempts that wait for an answer at any moment.
const CONNECTIONS: usize = 1_000;
const ADDRESSES: usize = 1_000;
/// The server's waits after failed attempts, in seconds (docs/operating.md).
const FIRST_WAIT: u64 = 30;
const WAIT_MAX: u64 = 15 * 60;
const FREE_TRIES: u32 = 10;

/// The accounts that are attacked.
#[derive(Clone, Copy)]
pub(crate) struct Targets {
    /// All accounts.
    pub(crate) accounts: usize,
    /// The number of honest users, who have the first accounts. Every second attempt is at one of these.
    pub(crate) honest: usize,
}

impl Targets {
    fn of(self, attempt: usize) -> usize {
        if attempt.is_multiple_of(2) { attempt / 2 % self.honest } else { attempt / 2 % self.accounts }
    }
}

/// An attack under way.
pub(crate) struct Attack {
    clients: JoinSet<Outcome<BTreeMap<u16, usize>>>,
    shared: Arc<Shared>,
}

struct Shared {
    next: AtomicUsize,
    /// The number of passwords that were compared with that of each account.
    guesses: Vec<AtomicU32>,
}

/// The attack's results.
pub(crate) struct Outcomes {
    pub(crate) attempts: usize,
    pub(crate) answers: BTreeMap<u16, usize>,
    pub(crate) guesses_max: u32,
    pub(crate) guesses: u64,
}

impl Attack {
    /// Makes its attempts at equal intervals, each on a free connection, and ends when all are made.
    pub(crate) fn begin(server: SocketAddr, targets: Targets, attempts: usize, window: Duration) -> Self {
        let begun = Instant::now();
        let interval = window.div_f64(attempts as f64);
        let guesses = (0..targets.accounts).map(|_| AtomicU32::new(0)).collect();
        let shared = Arc::new(Shared { next: AtomicUsize::new(0), guesses });
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let shared = Arc::clone(&shared);
            clients.spawn(async move {
                let mut connection = Connection::open(server).await?;
                let mut answers = BTreeMap::new();
                loop {
                    let attempt = shared.next.fetch_add(1, Ordering::Relaxed);
                    if attempt >= attempts {
                        return Ok(answers);
                    }
                    sleep_until((begun + interval.mul_f64(attempt as f64)).into()).await;
                    let target = targets.of(attempt);
                    let request = login(target, &password(attempt), address(attempt), None);
                    let status = status(&connection.ask(&request).await?)?;
                    match status {
                        401 => drop(shared.guesses[target].fetch_add(1, Ordering::Relaxed)),
                        429 | 503 => {}
                        status => return broken(format!("{status} to a wrong password")),
                    }
                    *answers.entry(status).or_default() += 1;
                }
            });
        }
        Self { clients, shared }
    }

    /// Waits for the end.
    pub(crate) async fn end(mut self) -> Outcome<Outcomes> {
        let mut answers = BTreeMap::new();
        while let Some(ended) = self.clients.join_next().await {
            for (status, count) in ended?? {
                *answers.entry(status).or_default() += count;
            }
        }
        let guesses: Vec<u32> = self.shared.guesses.iter().map(|guesses| guesses.load(Ordering::Relaxed)).collect();
        Ok(Outcomes {
            attempts: answers.values().sum(),
            answers,
            guesses_max: guesses.iter().copied().max().unwrap_or_default(),
            guesses: guesses.into_iter().map(u64::from).sum(),
        })
    }
}

/// A wrong password, another each time.
fn password(attempt: usize) -> String {
    format!("a leaked password {attempt}")
}

/// An address of 198.18.0.0/15, which is for benchmarks (RFC 2544). Addresses and targets do not repeat in step.
fn address(attempt: usize) -> Ipv4Addr {
    let number = (attempt + attempt / ADDRESSES) % ADDRESSES;
    Ipv4Addr::new(198, 18, (number / 250) as u8, (number % 250 + 1) as u8)
}

/// The number of guesses at one account that the documents allow within a window.
pub(crate) fn guesses_allowed(window: Duration) -> u32 {
    let (mut at, mut wait, mut guesses) = (FIRST_WAIT, FIRST_WAIT, FREE_TRIES);
    while at <= window.as_secs() {
        guesses += 1;
        wait = (wait * 2).min(WAIT_MAX);
        at += wait;
    }
    guesses
}
