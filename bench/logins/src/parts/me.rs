//! Decides how long somebody waits who only reads their own account while others log in without pause.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Bench;
use crate::broken::{Outcome, While as _};
use crate::client::{Client, User, me};
use crate::load::Logins;
use crate::machine::Usage;
use crate::report::{Figure, Goal};
use crate::statistics::quantile;

const LOGIN_CLIENTS: usize = 16;
const PER_SECOND: usize = 100;
/// They take turns, so one slow answer delays no other request for a third of a second.
const CONNECTIONS: usize = 32;
/// How long an answer may come after the last request was due; later ones were never answered.
const GRACE: Duration = Duration::from_secs(10);

/// Everything in milliseconds, counted from when the request was due.
#[derive(Default)]
struct Times {
    sent: Vec<f64>,
    answered: Vec<f64>,
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let server = bench.installation.start(&[])?;
    let total = (bench.scale.me_window.as_secs_f64() * PER_SECOND as f64) as usize;
    let (mut times, rate, shares) = bench.runtime.block_on(async {
        let token = Client::connect(server.address).await?.send(User::numbered(0).login()).await?;
        let token = token.expect(StatusCode::OK)?.token()?;
        let load = Logins::start(server.address, Ipv4Addr::LOCALHOST, LOGIN_CLIENTS).await?;
        let usage = Usage::now(server.process())?;
        let (begun, before) = (Instant::now(), load.answered());
        let times = ask(server.address, &token, total).await?;
        let rate = (load.answered() - before) as f64 / begun.elapsed().as_secs_f64();
        let shares = usage.since()?;
        load.stop().await?;
        Outcome::Ok((times, rate, shares))
    })?;
    server.stop()?;
    let unanswered = total - times.answered.len();
    times.answered.resize(total, f64::INFINITY);
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| quantile(&times.answered, share));
    let sent_late = quantile(&times.sent, 0.99);
    println!(
        "  {total} requests: p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms, unanswered {unanswered}; sent up to \
         {sent_late:.2} ms late (p99); {rate:.1} logins/s meanwhile; {shares}",
    );
    Ok(vec![Figure {
        name: "me_p99_ms",
        value: p99,
        goal: Goal::AtMost(15.0),
        note: format!("p50 {p50:.2}, max {max:.2}, unanswered {unanswered} of {total}; {rate:.0} logins/s meanwhile"),
    }])
}

/// Sends `total` requests at their times, whether or not those before have been answered.
async fn ask(server: SocketAddr, token: &str, total: usize) -> Outcome<Times> {
    let times = Arc::new(Mutex::new(Times::default()));
    let mut clients = JoinSet::new();
    let mut turns = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut client = Client::connect(server).await?;
        let (turn, mut due_times) = mpsc::unbounded_channel::<Instant>();
        turns.push(turn);
        let (token, times) = (token.to_owned(), Arc::clone(&times));
        clients.spawn(async move {
            while let Some(due) = due_times.recv().await {
                let sent = milliseconds_since(due);
                client.send(me(&token)).await?.expect(StatusCode::OK)?;
                let answered = milliseconds_since(due);
                let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
                times.sent.push(sent);
                times.answered.push(answered);
            }
            Outcome::Ok(())
        });
    }
    // A thread of its own: the runtime's timers are only good for whole milliseconds.
    let clock = thread::Builder::new().name("schedule".to_owned()).spawn(move || {
        let begun = Instant::now();
        for (number, turn) in (0..total).zip(turns.iter().cycle()) {
            let due = begun + Duration::from_secs(1).mul_f64(number as f64 / PER_SECOND as f64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // A client that has broken says so itself.
            let _ = turn.send(due);
        }
    })?;
    let all = Duration::from_secs((total / PER_SECOND) as u64) + GRACE;
    let ended = timeout(all, async {
        while let Some(ended) = clients.join_next().await {
            ended??;
        }
        Outcome::Ok(())
    });
    // Running out of time leaves requests unanswered, which is a figure and not a failure.
    if let Ok(ended) = ended.await {
        ended.doing("reading the account")?;
    }
    drop(clock);
    let times = std::mem::take(&mut *times.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(times)
}

fn milliseconds_since(due: Instant) -> f64 {
    due.elapsed().as_secs_f64() * 1000.0
}
