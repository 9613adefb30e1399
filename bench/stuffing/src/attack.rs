//! Decides how the attacker goes about it: leaked pairs of name and password from many addresses, so many in a given time,
//! without regard to what is answered.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::broken::{Broken, Outcome};
use crate::client::{Client, login};

/// More than wait for an answer at any moment.
const CONNECTIONS: usize = 1_000;
const ADDRESSES: usize = 1_000;
/// After the first wait and each further one, in seconds: how the server slows guesses down (docs/operating.md).
const FIRST_WAIT: u64 = 30;
const WAIT_MAX: u64 = 15 * 60;
const FREE_TRIES: u32 = 10;

/// What is attacked.
#[derive(Clone, Copy)]
pub(crate) struct Targets {
    /// All accounts.
    pub(crate) accounts: usize,
    /// So many, the first, are those of people who log in meanwhile. Every other attempt is at one of them.
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
    /// How many passwords were compared with that of each account.
    guesses: Vec<AtomicU32>,
}

/// What came of it.
pub(crate) struct Outcomes {
    pub(crate) attempts: usize,
    pub(crate) answers: BTreeMap<u16, usize>,
    pub(crate) guesses_max: u32,
    pub(crate) guesses: u64,
}

impl Attack {
    /// Makes its attempts at equal intervals, each on a connection of its own as long as answers take, and is over when all
    /// are made.
    pub(crate) fn begin(server: SocketAddr, targets: Targets, attempts: usize, window: Duration) -> Self {
        let begun = Instant::now();
        let interval = window.div_f64(attempts as f64);
        let guesses = (0..targets.accounts).map(|_| AtomicU32::new(0)).collect();
        let shared = Arc::new(Shared { next: AtomicUsize::new(0), guesses });
        let mut clients = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let shared = Arc::clone(&shared);
            clients.spawn(async move {
                let mut client = Client::connect(server).await?;
                let mut answers = BTreeMap::new();
                loop {
                    let attempt = shared.next.fetch_add(1, Ordering::Relaxed);
                    if attempt >= attempts {
                        return Ok(answers);
                    }
                    sleep_until((begun + interval.mul_f64(attempt as f64)).into()).await;
                    let target = targets.of(attempt);
                    let answer = client.send(login(target, &password(attempt), address(attempt))).await?;
                    answer.is_complete()?;
                    match answer.status {
                        StatusCode::UNAUTHORIZED => drop(shared.guesses[target].fetch_add(1, Ordering::Relaxed)),
                        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {}
                        status => return Err(Broken(format!("{status} to a wrong password"))),
                    }
                    *answers.entry(answer.status.as_u16()).or_default() += 1;
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

/// Wrong, and another each time.
fn password(attempt: usize) -> String {
    format!("a leaked password {attempt}")
}

/// Of 198.18.0.0/15, which is for measuring (RFC 2544). The sequence of addresses and that of targets do not go in step.
fn address(attempt: usize) -> Ipv4Addr {
    let number = (attempt + attempt / ADDRESSES) % ADDRESSES;
    Ipv4Addr::new(198, 18, (number / 250) as u8, (number % 250 + 1) as u8)
}

/// How many guesses at one account the documents allow within so long.
pub(crate) fn guesses_allowed(window: Duration) -> u32 {
    let (mut at, mut wait, mut guesses) = (FIRST_WAIT, FIRST_WAIT, FREE_TRIES);
    while at <= window.as_secs() {
        guesses += 1;
        wait = (wait * 2).min(WAIT_MAX);
        at += wait;
    }
    guesses
}
