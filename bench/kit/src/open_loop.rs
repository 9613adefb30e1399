//! An open loop: each request is sent when it is due, whether or not earlier ones were answered, and timed from then on, so a
//! stall counts for every request that it delays.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::broken::Outcome;
use crate::client::Connection;
use crate::statistics::quantile;

/// They take turns, so a slow answer delays the next request on its connection only after a third of a second.
const CONNECTIONS: usize = 32;

/// When requests are due.
#[derive(Clone, Copy)]
pub struct Schedule {
    pub per_second: u32,
    pub window: Duration,
    /// How long after the window an answer may come.
    pub grace: Duration,
}

impl Schedule {
    pub fn total(self) -> usize {
        (self.window.as_secs_f64() * f64::from(self.per_second)).round() as usize
    }

    /// From the start of the window.
    fn due(self, number: usize) -> Duration {
        Duration::from_secs(1).mul_f64(number as f64 / f64::from(self.per_second))
    }

    /// The times of all requests in milliseconds since they were due. A request without an answer counts up to the end.
    fn times(self, answered: &[Option<f64>], end: Duration) -> Vec<f64> {
        let waited = |number| end.saturating_sub(self.due(number)).as_secs_f64() * 1e3;
        answered.iter().enumerate().map(|(number, time)| time.unwrap_or_else(|| waited(number))).collect()
    }
}

/// In milliseconds since a request was due.
pub struct Times {
    answered: Vec<f64>,
    sent: Vec<f64>,
    pub unanswered: usize,
    /// Answers with another status than 200, and broken connections.
    pub failed: usize,
}

impl Times {
    pub fn quantile(&self, share: f64) -> f64 {
        quantile(&self.answered, share)
    }

    /// How late the generator itself was (p99).
    pub fn sent_late(&self) -> f64 {
        quantile(&self.sent, 0.99)
    }
}

#[derive(Default)]
struct Answers {
    answered: Vec<Option<f64>>,
    sent: Vec<f64>,
    failed: usize,
}

impl Answers {
    /// `answered` is `None` if the answer was not 200.
    fn add(&mut self, number: usize, sent: f64, answered: Option<f64>) {
        self.sent.push(sent);
        self.answered[number] = answered;
        self.failed += usize::from(answered.is_none());
    }
}

/// Sends one request repeatedly; each answer should be 200.
pub async fn ask(server: SocketAddr, request: &Arc<Vec<u8>>, schedule: Schedule) -> Outcome<Times> {
    let total = schedule.total();
    let answers = Arc::new(Mutex::new(Answers { answered: vec![None; total], ..Answers::default() }));
    let mut clients = JoinSet::new();
    let mut turns = Vec::new();
    for _ in 0..CONNECTIONS {
        let connection = Connection::open(server).await?;
        let (turn, due_times) = mpsc::unbounded_channel();
        turns.push(turn);
        clients.spawn(client(server, connection, due_times, Arc::clone(request), Arc::clone(&answers)));
    }
    let begun = Instant::now();
    // A thread of its own, because the runtime's timers count whole milliseconds.
    let clock = thread::Builder::new().name("schedule".to_owned()).spawn(move || {
        for (number, turn) in (0..total).zip(turns.iter().cycle()) {
            let due = begun + schedule.due(number);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // A client that has ended leaves its requests unanswered.
            let _ = turn.send((number, due));
        }
    })?;
    // At the deadline requests are left unanswered, which is a figure and not a failure.
    let all = async { while clients.join_next().await.is_some() {} };
    let _ = timeout(schedule.window + schedule.grace, all).await;
    let end = begun.elapsed();
    drop(clock);
    let Answers { answered, sent, failed } =
        std::mem::take(&mut *answers.lock().unwrap_or_else(PoisonError::into_inner));
    let unanswered = answered.iter().filter(|time| time.is_none()).count();
    Ok(Times { answered: schedule.times(&answered, end), sent, unanswered: unanswered - failed, failed })
}

async fn client(
    server: SocketAddr,
    mut connection: Connection,
    mut due_times: mpsc::UnboundedReceiver<(usize, Instant)>,
    request: Arc<Vec<u8>>,
    answers: Arc<Mutex<Answers>>,
) {
    while let Some((number, due)) = due_times.recv().await {
        let sent = due.elapsed().as_secs_f64() * 1e3;
        let is_good = match connection.ask(&request).await {
            Ok(answer) => answer.status == 200,
            Err(_) => false,
        };
        let answered = due.elapsed().as_secs_f64() * 1e3;
        answers.lock().unwrap_or_else(PoisonError::into_inner).add(number, sent, is_good.then_some(answered));
        if is_good {
            continue;
        }
        if let Ok(anew) = Connection::open(server).await {
            connection = anew;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule =
        Schedule { per_second: 100, window: Duration::from_secs(30), grace: Duration::from_secs(10) };

    #[test]
    fn requests_are_due_at_a_fixed_rate() {
        assert_eq!(SCHEDULE.total(), 3000);
        let due = [0, 1, 100, 2999].map(|number| SCHEDULE.due(number));
        assert_eq!(due, [0, 10, 1000, 29_990].map(Duration::from_millis));
    }

    #[test]
    fn a_request_without_an_answer_counts_from_when_it_was_due() {
        let answered = [Some(1.5), None, None];
        let times = SCHEDULE.times(&answered, Duration::from_millis(40));
        let expected = [1.5, 30.0, 20.0];
        assert!(times.iter().zip(expected).all(|(time, expected)| (time - expected).abs() < 1e-9), "{times:?}");
    }
}
