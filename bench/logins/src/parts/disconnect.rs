//! Decides for how long the server goes on hashing for clients that have gone away.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::broken::{Broken, Outcome};
use crate::client::{Client, User};
use crate::load::Logins;
use crate::machine::HashingThreads;
use crate::report::{Figure, Goal};
use crate::statistics::Rounds;
use crate::{Bench, CLIENTS};

const POLL: Duration = Duration::from_millis(1);
/// Hashing threads that have spent no time for that many hash times have stopped.
const QUIET: u32 = 6;
/// If it goes on for longer it does not stop at all.
const WATCH_MAX: Duration = Duration::from_mins(1);

/// What was seen after the sockets were closed.
struct Seen {
    /// From the first `close` until the hashing threads spent no more time.
    went_on: Duration,
    /// What they spent in it.
    spent: Duration,
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let server = bench.installation.start(&[])?;
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
        // What the round before left behind has to be over.
        watch(&threads, hash_time)?;
        let waiting = bench.runtime.block_on(wait_in_line(server.address))?;
        let clients = waiting.len();
        if clients < CLIENTS / 2 {
            return Err(Broken(format!("only {clients} of {CLIENTS} logins were still waiting; nothing to abandon")));
        }
        let seen = thread::scope(|scope| {
            let watcher = scope.spawn(|| watch(&threads, hash_time));
            bench.runtime.block_on(waiting.shutdown_all());
            watcher.join().map_err(|_| Broken("the watching thread ended unexpectedly".to_owned()))?
        })?;
        let in_hash_times = seen.went_on.as_secs_f64() / hash_time.as_secs_f64();
        let in_hashes = seen.spent.as_secs_f64() / hash_cpu.as_secs_f64();
        println!(
            "  round {round}: {clients} waiting when all closed; hashing went on for {:.1} ms = {in_hash_times:.2} hash \
             times, and spent what {in_hashes:.2} hashes take",
            seen.went_on.as_secs_f64() * 1000.0
        );
        went_on.push(in_hash_times);
        hashes.push(in_hashes);
    }
    server.stop()?;
    let went_on = Rounds(went_on);
    Ok(vec![Figure {
        name: "hashing_after_disconnect_in_hash_times",
        value: went_on.max(),
        goal: Goal::AtMost(2.0),
        note: format!("the worst round; {went_on}; hashes' worth of time: {}", Rounds(hashes)),
    }])
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

/// Sends a login from each client and returns when the first has been answered: by then the others are in the queue, which
/// is longer than what was sent.
async fn wait_in_line(server: SocketAddr) -> Outcome<Waiting> {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Client::connect(server).await?);
    }
    let mut waiting = JoinSet::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        waiting.spawn(async move {
            client.send(User::numbered(number).login()).await?;
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

/// Watches the hashing threads from now until they spend no more time.
fn watch(threads: &HashingThreads, hash_time: Duration) -> Outcome<Seen> {
    let begun = Instant::now();
    let before = threads.cpu()?;
    let (mut last, mut last_at) = (before, begun);
    while last_at.elapsed() < hash_time * QUIET {
        if begun.elapsed() > WATCH_MAX {
            return Err(Broken(format!("the server still hashes {WATCH_MAX:?} after everybody has gone")));
        }
        let now = threads.cpu()?;
        if now > last {
            (last, last_at) = (now, Instant::now());
        }
        thread::sleep(POLL);
    }
    Ok(Seen { went_on: last_at - begun, spent: last.saturating_sub(before) })
}
