//! Slowloris: how long a request takes while 5,000 attackers hold connections and send a byte of a head every few seconds. They
//! are more than twice as many as the server accepts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bench_kit::account::me;
use bench_kit::broken::{Outcome, broken};
use bench_kit::client::Connection;
use bench_kit::machine::{MIB, Resident};
use bench_kit::report::{Figure, Goal};
use bench_kit::statistics::quantile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use crate::Bench;
use crate::parts::token;

const ATTACKERS: usize = 5_000;
/// Less than the server's time limit for a head.
const BYTE_EVERY: Duration = Duration::from_secs(5);
/// A disconnected attacker connects again after this.
const BACK_AFTER: Duration = Duration::from_secs(1);
/// All attackers have to be connected within this.
const ARRIVAL_MAX: Duration = Duration::from_mins(1);
const PER_SECOND: usize = 50;
/// One request in this many goes over a connection that is kept; the others go over new ones.
const KEPT_EVERY: usize = 5;
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The attackers' connections so far.
#[derive(Default)]
struct Attack {
    connected: AtomicUsize,
    disconnected: AtomicUsize,
}

/// In milliseconds since a request was due; infinite without an answer.
#[derive(Default)]
struct Times {
    new: Vec<f64>,
    kept: Vec<f64>,
    /// How often the kept connection was lost.
    lost: usize,
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let server = bench.start(&[])?;
    let total = (bench.scale.me_window.as_secs_f64() * PER_SECOND as f64) as usize;
    let attack = Arc::new(Attack::default());
    let (idle, times, shares) = bench.runtime.block_on(async {
        let request = Arc::new(me(&token(&server).await?));
        // After the login, because the memory of its hash is kept.
        let idle = Resident::read(server.process())?;
        let _attackers = begin(server.address, &attack).await?;
        let usage = server.usage()?;
        let times = ask(server.address, &request, total).await?;
        Outcome::Ok((idle, times, usage.since()?))
    })?;
    let after = Resident::read(server.process())?;
    server.stop()?;
    let over_idle_mib = after.peak.saturating_sub(idle.peak) as f64 / MIB;
    let [new_p50, new_p99, new_max] = [0.5, 0.99, 1.0].map(|share| quantile(&times.new, share));
    let [kept_p50, kept_p99, kept_max] = [0.5, 0.99, 1.0].map(|share| quantile(&times.kept, share));
    let [connected, disconnected] =
        [&attack.connected, &attack.disconnected].map(|count| count.load(Ordering::Relaxed));
    println!(
        "  {ATTACKERS} attackers connected {connected} times and were disconnected {disconnected} times; {shares}\n  \
         new connections: p50 {new_p50:.2} ms, p99 {new_p99:.2} ms, max {new_max:.2} ms; kept one: p50 {kept_p50:.2} \
         ms, p99 {kept_p99:.2} ms, max {kept_max:.2} ms, lost {} times; resident MiB at the most: before {:.1}, then {:.1}",
        times.lost,
        idle.peak as f64 / MIB,
        after.peak as f64 / MIB,
    );
    Ok(vec![
        Figure::new(
            "slowloris_new_p99_ms",
            new_p99,
            Goal::AtMost(50.0),
            format!("connecting included; p50 {new_p50:.2}, max {new_max:.2}, of {}", times.new.len()),
        ),
        Figure::new(
            "slowloris_kept_p99_ms",
            kept_p99,
            Goal::AtMost(50.0),
            format!("p50 {kept_p50:.2}, max {kept_max:.2}, of {}", times.kept.len()),
        ),
        Figure::new(
            "slowloris_rss_peak_over_idle_mib",
            over_idle_mib,
            Goal::AtMost(128.0),
            "a connection has at most 32 KiB for a head, and a task",
        ),
    ])
}

/// Starts the attack and waits until all attackers have been connected once.
async fn begin(server: SocketAddr, attack: &Arc<Attack>) -> Outcome<JoinSet<()>> {
    let mut attackers = JoinSet::new();
    for number in 0..ATTACKERS {
        let attack = Arc::clone(attack);
        attackers.spawn(async move {
            // Spread over two seconds.
            sleep(Duration::from_micros(400) * number as u32).await;
            loop {
                if let Ok(stream) = TcpStream::connect(server).await {
                    attack.connected.fetch_add(1, Ordering::Relaxed);
                    drip(stream).await;
                    attack.disconnected.fetch_add(1, Ordering::Relaxed);
                }
                sleep(BACK_AFTER).await;
            }
        });
    }
    let begun = Instant::now();
    while attack.connected.load(Ordering::Relaxed) < ATTACKERS {
        if begun.elapsed() > ARRIVAL_MAX {
            let connected = attack.connected.load(Ordering::Relaxed);
            return broken(format!("only {connected} attackers were connected within {ARRIVAL_MAX:?}"));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(attackers)
}

/// Sends a byte every few seconds until the server disconnects.
async fn drip(mut stream: TcpStream) {
    if stream.write_all(b"GET /api/users/me HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.is_err() {
        return;
    }
    let mut answer = [0; 256];
    // Any answer is the end.
    while timeout(BYTE_EVERY, stream.read(&mut answer)).await.is_err() {
        if stream.write_all(b"x").await.is_err() {
            return;
        }
    }
}

/// Sends requests, each at its time.
async fn ask(server: SocketAddr, request: &Arc<Vec<u8>>, total: usize) -> Outcome<Times> {
    let mut times = Times::default();
    let mut kept = Connection::open(server).await?;
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..total {
        let due = begun + Duration::from_secs(1).mul_f64(number as f64 / PER_SECOND as f64);
        sleep_until(due.into()).await;
        if number % KEPT_EVERY == 0 {
            // A client that finds its connection closed opens another, as browsers do.
            let answered = if let Ok(Ok(answer)) = timeout(ANSWER_MAX, kept.ask(request)).await {
                answer.status == 200
            } else {
                times.lost += 1;
                kept = Connection::open(server).await?;
                kept.ask(request).await?.status == 200
            };
            times.kept.push(if answered { milliseconds_since(due) } else { f64::INFINITY });
        } else {
            let request = Arc::clone(request);
            clients.spawn(async move {
                let asked = async { Connection::open(server).await?.ask(&request).await.map(|answer| answer.status) };
                match timeout(ANSWER_MAX, asked).await {
                    Ok(Ok(200)) => milliseconds_since(due),
                    _ => f64::INFINITY,
                }
            });
        }
    }
    while let Some(ended) = clients.join_next().await {
        times.new.push(ended?);
    }
    Ok(times)
}

fn milliseconds_since(due: Instant) -> f64 {
    due.elapsed().as_secs_f64() * 1000.0
}
