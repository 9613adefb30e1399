//! Decides what people do meanwhile: they log in now and then, on devices that they have logged in with before.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use hyper::header::HeaderValue;
use tokio::task::JoinSet;
use tokio::time::{Instant as Alarm, sleep_until};

use crate::broken::Outcome;
use crate::client::{Client, PASSWORD, login, login_on_device};

/// How often each of them logs in.
pub(crate) const INTERVAL: Duration = Duration::from_secs(15);

/// Somebody with a device.
pub(crate) struct Person {
    account: usize,
    address: Ipv4Addr,
    cookie: HeaderValue,
}

/// How it went for all of them.
#[derive(Default)]
pub(crate) struct Outcomes {
    pub(crate) answers: BTreeMap<u16, usize>,
    pub(crate) times: Vec<Duration>,
}

impl Outcomes {
    pub(crate) fn success_percent(&self) -> f64 {
        let succeeded = self.answers.get(&StatusCode::OK.as_u16()).copied().unwrap_or_default();
        100.0 * succeeded as f64 / self.answers.values().sum::<usize>().max(1) as f64
    }

    /// The time within which so many of a hundred had their answer.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times.get((times.len() * percent / 100).min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

/// They log in once, in peace.
pub(crate) async fn meet(server: SocketAddr, people: usize) -> Outcome<Vec<Person>> {
    let mut client = Client::connect(server).await?;
    let mut met = Vec::with_capacity(people);
    for account in 0..people {
        let address = Ipv4Addr::new(203, 0, 113, (account + 1) as u8);
        let answer = client.send(login(account, PASSWORD, address)).await?.expect(StatusCode::OK)?;
        met.push(Person { account, address, cookie: answer.device()? });
    }
    Ok(met)
}

/// They log in again and again until `end`, spread evenly over each interval.
pub(crate) async fn log_in(server: SocketAddr, people: Vec<Person>, end: Instant) -> Outcome<Outcomes> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    let gap = INTERVAL / people.len().max(1) as u32;
    for (number, person) in people.into_iter().enumerate() {
        tasks.spawn(async move {
            let mut outcomes = Outcomes::default();
            let mut due = begun + gap * number as u32;
            while due < end {
                sleep_until(Alarm::from_std(due)).await;
                // Whoever comes now and then has no open connection.
                let mut client = Client::connect(server).await?;
                let answer = client.send(login_on_device(person.account, person.address, &person.cookie)).await?;
                answer.is_complete()?;
                *outcomes.answers.entry(answer.status.as_u16()).or_default() += 1;
                outcomes.times.push(due.elapsed());
                due += INTERVAL;
            }
            Outcome::Ok(outcomes)
        });
    }
    let mut all = Outcomes::default();
    while let Some(ended) = tasks.join_next().await {
        let Outcomes { answers, times } = ended??;
        for (status, count) in answers {
            *all.answers.entry(status).or_default() += count;
        }
        all.times.extend(times);
    }
    Ok(all)
}
