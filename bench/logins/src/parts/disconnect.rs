//! How long the server continues to hash for clients that have disconnected.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use bench_kit::account::User;
use bench_kit::broken::{Outcome, broken};
use bench_kit::client::Connection;
use bench_kit::report::{Figure, Goal};
use bench_kit::rounds::Rounds;
use tokio::task::JoinSet;

use crate::hashing_threads::HashingThreads;
use crate::load::Logins;
use crate::{Bench, CLIENTS};

const POLL: Duration = Duration::from_millis(1);
/// Hashing threads that used no time for this many hash times have stopped.
const QUIET: u32 = 6;
/// A server that hashes for longer does not stop at all.
const WATCH_MAX: Duration = Duration::from_mins(1);

/// The hashing threads after the sockets were closed.
struct Seen {
    /// From the first `close` until the threads used no more time.
    went_on: Duration,
    /// The processor time they used.
    spent: Duration,
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let server = bench.start(&[])?;
    let threads = HashingThreads::find(server.process())?;
    let (hash_time, hash_cpu) = bench.runtime.block_on(async {
        let load = Logins::start(server.address, Ipv4Addr::LOCALHOST, CLIENTS).await?;
        let before = threads.cpu()?;
        let rate = load.rate(bench.scale.login_window).await;
        let spent = threads.cpu()?.saturating_sub(before);
        load.stop().await?;
        Outcome::Ok((rate.hash_time(threads.count()), spent.div_f64(rate.answered.max(1) as f64)))
    })?;
    println!("  a hash under full load takes {hash_time:.1?}, of which {hash_cpu:.1?} on the processor");
    let (mut went_on, mut hashes) = (Vec::new(), Vec::new());
    for round in 1..=bench.scale.disconnect_rounds {
        // The last round has to be over.
        watch(&threads, hash_time)?;
        let waiting = bench.runtime.block_on(wait_in_line(server.address))?;
        let clients = waiting.len();
        if clients < CLIENTS / 2 {
            return broken(format!("only {clients} of {CLIENTS} logins were still waiting; nothing to abandon"));
        }
        let seen = thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(&threads, hash_time));
            bench.runtime.block_on(waiting.shutdown_all());
            watcher.join().unwrap_or_else(|_| broken("the watching thread ended unexpectedly"))
        })?;
        let in_hash_times = seen.went_on.as_secs_f64() / hash_time.as_secs_f64();
        let in_hashes = seen.spent.as_secs_f64() / hash_cpu.as_secs_f64();
        println!(
            "  round {round}: {clients} waiting when all closed; hashing continued for {:.1} ms = {in_hash_times:.2} hash \
             times, and used the time of {in_hashes:.2} hashes",
            seen.went_on.as_secs_f64() * 1000.0
        );
        went_on.push(in_hash_times);
        hashes.push(in_hashes);
    }
    server.stop()?;
    let went_on = Rounds(went_on);
    let note =
        format!("the worst of {} rounds: {went_on}; in hashes' processor time: {}", went_on.0.len(), Rounds(hashes));
    Ok(vec![Figure::new("hashing_after_disconnect_in_hash_times", went_on.max(), Goal::AtMost(2.0), note)])
}

/// Clients in the middle of a login.
struct Waiting(JoinSet<Outcome<()>>);

impl Waiting {
    fn len(&self) -> usize {
        self.0.len()
    }

    /// Closes all their sockets.
    async fn shutdown_all(mut self) {
        self.0.shutdown().await;
    }
}

/// Sends a login from each client and returns with the first answer: by then the others are in the server's queue.
async fn wait_in_line(server: SocketAddr) -> Outcome<Waiting> {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Connection::open(server).await?);
    }
    let mut waiting = JoinSet::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        waiting.spawn(async move {
            client.ask(&User(number).login()).await?;
            Ok(())
        });
    }
    if let Some(first) = waiting.join_next().await {
        first??;
    }
    while let Some(another) = waiting.try_join_next() {
        another??;
    }
    Ok(Waiting(waiting))
}

/// Watches the hashing threads from now until they use no more time.
fn watch(threads: &HashingThreads, hash_time: Duration) -> Outcome<Seen> {
    let begun = Instant::now();
    let before = threads.cpu()?;
    let (mut last, mut last_at) = (before, begun);
    while last_at.elapsed() < hash_time * QUIET {
        if begun.elapsed() > WATCH_MAX {
            return broken(format!("the server still hashes {WATCH_MAX:?} after all clients have gone"));
        }
        let now = threads.cpu()?;
        if now > last {
            (last, last_at) = (now, Instant::now());
        }
        thread::sleep(POLL);
    }
    Ok(Seen { went_on: last_at - begun, spent: last.saturating_sub(before) })
}
