//! Decides what a thousand logins at once do to the server: its memory, who waits how long, and what they are told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::task::JoinSet;

use crate::broken::{Broken, Outcome};
use crate::client::{Client, User};
use crate::machine::{HashingThreads, Resident, Usage, listen_overflows};
use crate::report::{Figure, Goal};
use crate::{Bench, HASH_BYTES, USERS};

const CLIENTS: usize = 1000;
const MIB: f64 = 1024.0 * 1024.0;
/// What may be taken beside the hashing budget: a thousand connections, and whatever else serving needs.
const BESIDE_BUDGET_MIB: f64 = 64.0;
/// Connecting, reading, writing the session, and the client's own turn on a busy machine.
const SLACK: Duration = Duration::from_millis(500);

/// What a login presents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Presents {
    RightPassword,
    WrongPassword,
}

/// What came back, and how long after the start of all.
#[derive(Default)]
struct Answers {
    counts: BTreeMap<(Presents, StatusCode), usize>,
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
        Figure {
            name: "rss_peak_over_idle_mib",
            value: over_idle_mib,
            goal: Goal::AtMost(budget_mib + BESIDE_BUDGET_MIB),
            note: format!("the worse of both runs; goal: budget {budget_mib:.0} MiB + {BESIDE_BUDGET_MIB:.0} MiB"),
        },
        Figure {
            name: "slowest_answer_s",
            value: slowest.as_secs_f64(),
            goal: Goal::AtMost(wait_max + (hash_time + SLACK).as_secs_f64()),
            note: format!("the worse of both runs; goal: {wait_max:.0} s + a hash ({hash_time:.0?}) + {SLACK:?}"),
        },
    ])
}

/// Exactly what one hash a core needs: the strictest budget under which every core hashes.
fn budget_bytes() -> u64 {
    crate::machine::cores() as u64 * HASH_BYTES
}

fn crowd(bench: &Bench, sources: u8) -> Outcome<Crowd> {
    let server = bench.installation.start(&[
        ("HASHING_MEMORY_BYTES_MAX", budget_bytes().to_string()),
        ("HASHING_WAIT_SECONDS_MAX", bench.scale.wait_seconds_max.to_string()),
        // All of them shall be inside and wait for a hash, none outside for a connection.
        ("CONNECTIONS_MAX", (CLIENTS + 100).to_string()),
    ])?;
    let threads = HashingThreads::find(server.process())?;
    let idle = Resident::read(server.process())?;
    let usage = Usage::now(server.process())?;
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
        answers.told(),
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

const OVERLOADED: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

impl Answers {
    fn told(&self) -> String {
        let mut text = String::new();
        for ((presents, status), count) in &self.counts {
            let presents = match presents {
                Presents::RightPassword => "right",
                Presents::WrongPassword => "wrong",
            };
            let separator = if text.is_empty() { "" } else { ", " };
            // Writing to a string cannot fail.
            let _ = write!(text, "{separator}{count} x {presents} {}", status.as_u16());
        }
        text
    }
}

async fn send(server: SocketAddr, sources: u8) -> Outcome<Answers> {
    let mut clients = JoinSet::new();
    let begun = Instant::now();
    for number in 0..CLIENTS {
        clients.spawn(async move {
            // 127.0.0.1 and those that follow it.
            let source = Ipv4Addr::new(127, 0, 0, (number % usize::from(sources) + 1) as u8);
            let user = User::numbered(number % USERS);
            let presents =
                if (number / USERS).is_multiple_of(2) { Presents::RightPassword } else { Presents::WrongPassword };
            let request = match presents {
                Presents::RightPassword => user.login(),
                Presents::WrongPassword => user.login_with_wrong_password(),
            };
            let mut client = Client::connect_from(source, server).await?;
            let connected = begun.elapsed();
            let answer = client.send(request).await?;
            Outcome::Ok((presents, answer, connected, begun.elapsed()))
        });
    }
    let mut answers = Answers::default();
    while let Some(ended) = clients.join_next().await {
        let (presents, answer, connected, took) = ended??;
        match (answer.status, presents) {
            (OVERLOADED, _) if answer.has_retry_after => {}
            (OVERLOADED, _) => return Err(Broken("a 503 says nothing of when to try again".to_owned())),
            (StatusCode::OK, Presents::RightPassword) | (StatusCode::UNAUTHORIZED, Presents::WrongPassword) => {}
            (status, Presents::RightPassword) => return Err(Broken(format!("{status} to the right password"))),
            (status, Presents::WrongPassword) => return Err(Broken(format!("{status} to a wrong password"))),
        }
        *answers.counts.entry((presents, answer.status)).or_default() += 1;
        answers.slowest_connected = answers.slowest_connected.max(connected);
        answers.slowest = answers.slowest.max(took);
    }
    Ok(answers)
}
