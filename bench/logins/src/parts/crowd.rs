//! A thousand logins at once: the server's memory, the longest wait, and the answers.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bench_kit::account::User;
use bench_kit::broken::{Broken, Outcome, broken};
use bench_kit::client::Connection;
use bench_kit::machine::{MIB, Resident, cores};
use bench_kit::report::{Figure, Goal};
use tokio::task::JoinSet;

use crate::hashing_threads::HashingThreads;
use crate::parts::wrong_password;
use crate::{Bench, HASH_BYTES, USERS};

const CLIENTS: usize = 1000;
/// Memory beside the hashing budget: for a thousand connections, and everything else that serving needs.
const BESIDE_BUDGET_MIB: f64 = 64.0;
/// Connecting, reading, writing the session, and the client's own turn on a busy machine.
const SLACK: Duration = Duration::from_millis(500);

/// The password of a login.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Presents {
    RightPassword,
    WrongPassword,
}

/// The answers, and their times since the start of all logins.
#[derive(Default)]
struct Answers {
    counts: BTreeMap<(Presents, u16), usize>,
    slowest_connected: Duration,
    slowest: Duration,
}

struct Crowd {
    slowest: Duration,
    over_idle: u64,
    hash_time: Duration,
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let one = crowd(bench, 1)?;
    let many = crowd(bench, 50)?;
    let budget_mib = budget_bytes() as f64 / MIB;
    let over_idle_mib = one.over_idle.max(many.over_idle) as f64 / MIB;
    let wait_max = f64::from(bench.scale.wait_seconds_max);
    let hash_time = one.hash_time.max(many.hash_time);
    let slowest = one.slowest.max(many.slowest);
    Ok(vec![
        Figure::new(
            "rss_peak_over_idle_mib",
            over_idle_mib,
            Goal::AtMost(budget_mib + BESIDE_BUDGET_MIB),
            format!("the worse of both runs; goal: budget {budget_mib:.0} MiB + {BESIDE_BUDGET_MIB:.0} MiB"),
        ),
        Figure::new(
            "slowest_answer_s",
            slowest.as_secs_f64(),
            Goal::AtMost(wait_max + (hash_time + SLACK).as_secs_f64()),
            format!("the worse of both runs; goal: {wait_max:.0} s + a hash ({hash_time:.0?}) + {SLACK:?}"),
        ),
    ])
}

/// Memory for one hash on each core: the smallest budget under which every core hashes.
fn budget_bytes() -> u64 {
    cores() as u64 * HASH_BYTES
}

fn crowd(bench: &Bench, sources: u8) -> Outcome<Crowd> {
    let server = bench.start(&[
        ("HASHING_MEMORY_BYTES_MAX", &budget_bytes().to_string()),
        ("HASHING_WAIT_SECONDS_MAX", &bench.scale.wait_seconds_max.to_string()),
        // All clients are connected and wait for a hash.
        ("CONNECTIONS_MAX", &(CLIENTS + 100).to_string()),
    ])?;
    let threads = HashingThreads::find(server.process())?;
    let idle = Resident::read(server.process())?;
    let usage = server.usage()?;
    let overflows = listen_overflows()?;
    let answers = bench.runtime.block_on(send(server.address, sources))?;
    let shares = usage.since()?;
    let after = Resident::read(server.process())?;
    server.stop()?;
    let overflows = listen_overflows()?.saturating_sub(overflows);
    let hashed: usize =
        answers.counts.iter().filter(|((_, status), _)| *status != OVERLOADED).map(|(_, count)| count).sum();
    println!(
        "  from {sources} address(es): {}, slowest {:.2} s, \
         the last was connected after {:.2} s, backlog full {overflows} times; resident MiB: idle {:.1}, peak {:.1}, afterwards {:.1}; {shares}",
        answers.summary(),
        answers.slowest.as_secs_f64(),
        answers.slowest_connected.as_secs_f64(),
        idle.now as f64 / MIB,
        after.peak as f64 / MIB,
        after.now as f64 / MIB,
    );
    Ok(Crowd {
        slowest: answers.slowest,
        over_idle: after.peak.saturating_sub(idle.now),
        hash_time: answers.slowest.mul_f64(threads.count() as f64 / hashed.max(1) as f64),
    })
}

const OVERLOADED: u16 = 503;

impl Answers {
    fn summary(&self) -> String {
        let counts = self.counts.iter().map(|((presents, status), count)| {
            let presents = if *presents == Presents::RightPassword { "right" } else { "wrong" };
            format!("{count} x {presents} {status}")
        });
        counts.collect::<Vec<_>>().join(", ")
    }
}

async fn send(server: SocketAddr, sources: u8) -> Outcome<Answers> {
    let mut clients = JoinSet::new();
    let begun = Instant::now();
    for number in 0..CLIENTS {
        clients.spawn(async move {
            // 127.0.0.1 and the addresses after it.
            let source = Ipv4Addr::new(127, 0, 0, (number % usize::from(sources) + 1) as u8);
            let user = User(number % USERS);
            let presents =
                if (number / USERS).is_multiple_of(2) { Presents::RightPassword } else { Presents::WrongPassword };
            let request = match presents {
                Presents::RightPassword => user.login(),
                Presents::WrongPassword => wrong_password(user),
            };
            let mut client = Connection::open_from(source, server).await?;
            let connected = begun.elapsed();
            let answer = client.ask(&request).await?;
            let took = begun.elapsed();
            let has_retry_after = !answer.headers("retry-after").is_empty();
            Outcome::Ok((presents, answer.status, has_retry_after, connected, took))
        });
    }
    let mut answers = Answers::default();
    while let Some(ended) = clients.join_next().await {
        let (presents, status, has_retry_after, connected, took) = ended??;
        match (status, presents) {
            (OVERLOADED, _) if has_retry_after => {}
            (OVERLOADED, _) => return broken("a 503 without Retry-After"),
            (200, Presents::RightPassword) | (401, Presents::WrongPassword) => {}
            (status, Presents::RightPassword) => return broken(format!("{status} to the right password")),
            (status, Presents::WrongPassword) => return broken(format!("{status} to a wrong password")),
        }
        *answers.counts.entry((presents, status)).or_default() += 1;
        answers.slowest_connected = answers.slowest_connected.max(connected);
        answers.slowest = answers.slowest.max(took);
    }
    Ok(answers)
}

/// How often, since the machine was started, a connection had to wait because a listener's backlog was full.
fn listen_overflows() -> Outcome<u64> {
    let text = fs::read_to_string("/proc/net/netstat")?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut fields = names.split(' ').zip(values.split(' '));
    let found = fields.find(|(name, _)| *name == "ListenOverflows").and_then(|(_, value)| value.parse().ok());
    found.ok_or_else(|| Broken("/proc/net/netstat has no ListenOverflows".to_owned()))
}
