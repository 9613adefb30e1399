//! Decides who is in the field: which contestants run, with users and sessions of their own, in which order each round has them,
//! and what happens to one that cannot keep up.

use std::sync::Arc;
use std::time::Duration;

use crate::Bench;
use crate::broken::{Broken, Outcome, While as _};
use crate::contestant::{Contestant, Dialect, Session, User};
use crate::findings::Findings;
use crate::http::Connection;
use crate::load::{self, Plan};
use crate::postgres::{Cluster, Database};
use crate::server::{Installation, Server};

/// Of registrations that are only the way to something else.
const CLIENTS: usize = 8;
const PATIENCE: Duration = Duration::from_mins(5);

/// A contestant that runs.
pub(crate) struct Entrant<'b> {
    pub(crate) installation: Installation<'b>,
    pub(crate) server: Server,
}

/// Where databases come from.
pub(crate) enum Home<'c> {
    Sqlite,
    Postgres(&'c Cluster),
}

impl Home<'_> {
    pub(crate) async fn database(&self) -> Outcome<Database> {
        match self {
            Self::Sqlite => Ok(Database::Sqlite),
            Self::Postgres(cluster) => cluster.database().await,
        }
    }

    pub(crate) fn takes(&self, contestant: &Contestant) -> bool {
        matches!(self, Self::Sqlite) || contestant.has_the_contract()
    }

    pub(crate) fn name(&self) -> &'static str {
        if matches!(self, Self::Sqlite) { "sqlite" } else { "postgres" }
    }

    pub(crate) fn title(&self) -> &'static str {
        if matches!(self, Self::Sqlite) { "SQLite" } else { "PostgreSQL" }
    }
}

impl<'b> Entrant<'b> {
    pub(crate) async fn start(bench: &'b Bench, contestant: &'b Contestant, home: &Home<'_>) -> Outcome<Self> {
        let installation = Installation::new(bench, contestant, home.database().await?)?;
        let server = installation.start(&[]).await?;
        Ok(Self { installation, server })
    }

    pub(crate) fn contestant(&self) -> &'b Contestant {
        self.installation.contestant
    }

    pub(crate) fn name(&self) -> &'b str {
        &self.contestant().name
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.contestant().dialect == Dialect::Ours
    }

    /// Ends the server and starts it again.
    pub(crate) async fn restart(self) -> Outcome<Self> {
        let Self { installation, server } = self;
        server.stop().await?;
        let server = installation.start(&[]).await?;
        Ok(Self { installation, server })
    }

    /// Registers so many users, several at a time.
    pub(crate) async fn register(&self, users: usize) -> Outcome<()> {
        let contestant = self.contestant();
        let requests: Vec<_> = (0..users).map(|number| contestant.registration(User(number))).collect();
        self.once(requests, contestant.registered()).await.doing("registering users")
    }

    /// Sends each request once.
    async fn once(&self, requests: Vec<Vec<u8>>, status: u16) -> Outcome<()> {
        let requests = Arc::new(requests);
        let clients = requests.len().min(CLIENTS);
        for start in (0..requests.len()).step_by(clients) {
            let some = Arc::new(requests[start..requests.len().min(start + clients)].to_vec());
            let plan = Plan { clients: some.len(), window: Duration::ZERO, deadline: PATIENCE, status };
            load::run(&self.server, plan, &some).await?.whole()?;
        }
        Ok(())
    }

    /// Logs in the first users, each as often as it takes for so many sessions, and sees that each is believed.
    pub(crate) async fn sessions(&self, users: usize, count: usize) -> Outcome<Vec<Session>> {
        let contestant = self.contestant();
        let mut connection = Connection::open(self.server.address).await?;
        let mut sessions = Vec::new();
        for number in 0..count {
            let user = User(number % users);
            let session = contestant.session(&connection.ask(&contestant.login(user)).await?.expect(200)?)?;
            let answer = connection.ask(&session.get(contestant.me())).await?.expect(200)?;
            if !String::from_utf8_lossy(answer.body).contains(&user.email()) {
                return Err(Broken(format!("{} does not know who has logged in", contestant.name)));
            }
            sessions.push(session);
        }
        Ok(sessions)
    }
}

/// Starts all that this part is about. A peer that does not work is left out, and told of; ours has to work.
pub(crate) async fn entrants<'b>(
    bench: &'b Bench,
    findings: &mut Findings,
    home: &Home<'_>,
    users: usize,
) -> Outcome<Vec<Entrant<'b>>> {
    let mut entrants = Vec::new();
    for contestant in bench.contestants().filter(|contestant| home.takes(contestant)) {
        let started = async {
            let entrant = Entrant::start(bench, contestant, home).await?;
            entrant.register(users).await?;
            Ok(entrant)
        };
        if let Some(entrant) = or_left_out(findings, contestant, started.await)? {
            entrants.push(entrant);
        }
    }
    Ok(entrants)
}

/// What a contestant did; `None`, and a note, if it was a peer and broke.
pub(crate) fn or_left_out<T>(findings: &mut Findings, who: &Contestant, done: Outcome<T>) -> Outcome<Option<T>> {
    match done {
        Ok(done) => Ok(Some(done)),
        Err(broken) if who.dialect == Dialect::Ours => Err(broken),
        Err(Broken(text)) => {
            findings.note(format!("{} is left out from here on: {text}", who.name));
            Ok(None)
        }
    }
}

/// The order of a round: everybody begins in turn, and every other round goes backwards.
pub(crate) fn order(count: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).map(|place| (place + round / 2) % count).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_has_everybody_once_and_begins_with_another() {
        let orders: Vec<_> = (0..4).map(|round| order(3, round)).collect();
        assert_eq!(orders, [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]]);
    }
}
