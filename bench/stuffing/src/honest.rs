//! The honest users: they log in at intervals, on devices that they have used before.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bench_kit::broken::Outcome;
use bench_kit::client::Connection;
use tokio::task::JoinSet;
use tokio::time::{Instant as Alarm, sleep_until};

use crate::client::{device, login, password, status};

/// The time between two logins of a user.
pub(crate) const INTERVAL: Duration = Duration::from_secs(15);

/// A user with a known device.
pub(crate) struct Person {
    account: usize,
    address: Ipv4Addr,
    cookie: String,
}

/// The logins of all users.
#[derive(Default)]
pub(crate) struct Outcomes {
    pub(crate) answers: BTreeMap<u16, usize>,
    /// In seconds, since a login was due.
    pub(crate) times: Vec<f64>,
}

impl Outcomes {
    pub(crate) fn success_percent(&self) -> f64 {
        let succeeded = self.answers.get(&200).copied().unwrap_or_default();
        100.0 * succeeded as f64 / self.answers.values().sum::<usize>().max(1) as f64
    }
}

/// Logs each user in once, before the attack.
pub(crate) async fn meet(server: SocketAddr, people: usize) -> Outcome<Vec<Person>> {
    let mut connection = Connection::open(server).await?;
    let mut met = Vec::with_capacity(people);
    for account in 0..people {
        let address = Ipv4Addr::new(203, 0, 113, (account + 1) as u8);
        let answer = connection.ask(&login(account, &password(), address, None)).await?.expect(200)?;
        met.push(Person { account, address, cookie: device(&answer)? });
    }
    Ok(met)
}

/// Logs the users in repeatedly until `end`, spread evenly over each interval.
pub(crate) async fn log_in(server: SocketAddr, people: Vec<Person>, end: Instant) -> Outcome<Outcomes> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    let gap = INTERVAL / people.len().max(1) as u32;
    for (number, person) in people.into_iter().enumerate() {
        tasks.spawn(async move {
            let request = login(person.account, &password(), person.address, Some(&person.cookie));
            let mut outcomes = Outcomes::default();
            let mut due = begun + gap * number as u32;
            while due < end {
                sleep_until(Alarm::from_std(due)).await;
                // A user who comes every few seconds has no open connection.
                let mut connection = Connection::open(server).await?;
                let status = status(&connection.ask(&request).await?)?;
                *outcomes.answers.entry(status).or_default() += 1;
                outcomes.times.push(due.elapsed().as_secs_f64());
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
