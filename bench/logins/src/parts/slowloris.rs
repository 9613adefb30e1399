//! Decides how long somebody waits who has a request while 5,000 others hold connections on which they send a byte of a head
//! now and then, more than twice as many as the server has places for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use crate::Bench;
use crate::broken::{Broken, Outcome};
use crate::client::{Client, User, me};
use crate::machine::{Resident, Usage};
use crate::report::{Figure, Goal};
use crate::statistics::quantile;

const ATTACKERS: usize = 5_000;
/// Less than the server gives a head as a whole.
const BYTE_EVERY: Duration = Duration::from_secs(5);
/// Whoever is disconnected comes back.
const BACK_AFTER: Duration = Duration::from_secs(1);
/// How long all of them may take to come.
const ARRIVAL_MAX: Duration = Duration::from_mins(1);
const PER_SECOND: usize = 50;
/// Every so many requests go over one connection that is kept; all others over new ones.
const KEPT_EVERY: usize = 5;
const ANSWER_MAX: Duration = Duration::from_secs(10);
const MIB: f64 = 1024.0 * 1024.0;

/// What the attackers have come to so far.
#[derive(Default)]
struct Attack {
    connected: AtomicUsize,
    disconnected: AtomicUsize,
}

/// In milliseconds, counted from when the request was due; infinite without an answer.
#[derive(Default)]
struct Times {
    new: Vec<f64>,
    kept: Vec<f64>,
    /// How often the kept connection had to be made anew.
    lost: usize,
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let server = bench.installation.start(&[])?;
    let total = (bench.scale.me_window.as_secs_f64() * PER_SECOND as f64) as usize;
    let attack = Arc::new(Attack::default());
    let (idle, times, shares) = bench.runtime.block_on(async {
        let token = Client::connect(server.address).await?.send(User::numbered(0).login()).await?;
        let token = token.expect(StatusCode::OK)?.token()?;
        // After the login: its hash has its memory, which is kept.
        let idle = Resident::read(server.process())?;
        let _attackers = begin(server.address, &attack).await?;
        let usage = Usage::now(server.process())?;
        let times = ask(server.address, &token, total).await?;
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
        Figure {
            name: "slowloris_new_p99_ms",
            value: new_p99,
            goal: Goal::AtMost(50.0),
            note: format!("connecting included; p50 {new_p50:.2}, max {new_max:.2}, of {}", times.new.len()),
        },
        Figure {
            name: "slowloris_kept_p99_ms",
            value: kept_p99,
            goal: Goal::AtMost(50.0),
            note: format!("p50 {kept_p50:.2}, max {kept_max:.2}, of {}", times.kept.len()),
        },
        Figure {
            name: "slowloris_rss_peak_over_idle_mib",
            value: over_idle_mib,
            goal: Goal::AtMost(128.0),
            note: "a connection has 32 KiB at the most for a head, and a task".to_owned(),
        },
    ])
}

/// Begins the attack; all attackers have been connected once when this returns.
async fn begin(server: SocketAddr, attack: &Arc<Attack>) -> Outcome<JoinSet<()>> {
    let mut attackers = JoinSet::new();
    for number in 0..ATTACKERS {
        let attack = Arc::clone(attack);
        attackers.spawn(async move {
            // Not all in the same moment.
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
            return Err(Broken(format!("only {connected} attackers were connected within {ARRIVAL_MAX:?}")));
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(attackers)
}

/// Sends a byte now and then until the server has had enough.
async fn drip(mut stream: TcpStream) {
    if stream.write_all(b"GET /api/users/me HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.is_err() {
        return;
    }
    let mut said = [0; 256];
    // Whatever it says, it is the end.
    while timeout(BYTE_EVERY, stream.read(&mut said)).await.is_err() {
        if stream.write_all(b"x").await.is_err() {
            return;
        }
    }
}

/// One request after the other, each at its time.
async fn ask(server: SocketAddr, token: &str, total: usize) -> Outcome<Times> {
    let mut times = Times::default();
    let mut kept = Client::connect(server).await?;
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..total {
        let due = begun + Duration::from_secs(1).mul_f64(number as f64 / PER_SECOND as f64);
        sleep_until(due.into()).await;
        if number % KEPT_EVERY == 0 {
            // Whoever finds a connection closed makes another, as browsers do.
            let answered = match timeout(ANSWER_MAX, kept.send(me(token))).await {
                Ok(Ok(answer)) => answer.expect(StatusCode::OK).is_ok(),
                _ => {
                    times.lost += 1;
                    kept = Client::connect(server).await?;
                    kept.send(me(token)).await?.expect(StatusCode::OK).is_ok()
                }
            };
            times.kept.push(if answered { milliseconds_since(due) } else { f64::INFINITY });
        } else {
            let token = token.to_owned();
            clients.spawn(async move {
                let asked = async { Client::connect(server).await?.send(me(&token)).await?.expect(StatusCode::OK) };
                match timeout(ANSWER_MAX, asked).await {
                    Ok(Ok(_)) => milliseconds_since(due),
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
