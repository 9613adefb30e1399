//! The contestants of a part: how each is installed, with its users and sessions, their order in each round, and what happens
//! to one that cannot keep up.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bench_kit::account::User;
use bench_kit::broken::{Broken, Outcome, While as _, broken};
use bench_kit::client::Connection;
use bench_kit::postgres::Postgres;
use bench_kit::process::folder;
use bench_kit::server::{Installation, LONG_TOKENS, Log, Server};

use crate::Bench;
use crate::contestant::{Contestant, Dialect, Session};
use crate::findings::Findings;
use crate::load::{self, Plan};

/// Clients of registrations that only prepare a measurement.
const CLIENTS: usize = 8;
const PATIENCE: Duration = Duration::from_mins(5);

/// Equal for all contestants that hash with Argon2id.
const COSTS: [(&str, &str); 3] = [("ARGON2_MEMORY_KIB", "65536"), ("ARGON2_ITERATIONS", "3"), ("ARGON2_LANES", "4")];
/// The same in bytes.
pub(crate) const HASH_BYTES: u64 = 64 * 1024 * 1024;

/// The key that signs the tokens of peers; ours makes its own.
const PEER_SECRET: &str = "4f3c2b1a09f8e7d6c5b4a3928170615e4f3c2b1a09f8e7d6c5b4a3928170615e";

/// What every guide says to raise first.
const POSTGRES: [&str; 2] = ["shared_buffers=1GB", "max_wal_size=4GB"];

/// A durable PostgreSQL server.
pub(crate) fn postgres() -> Outcome<Postgres> {
    Postgres::start(&POSTGRES)
}

/// The databases of a measurement.
pub(crate) enum Home<'p> {
    Sqlite,
    Postgres(&'p Postgres),
}

impl Home<'_> {
    /// The URL of a new database; a file is in `folder`.
    fn database(&self, folder: &Path) -> Outcome<String> {
        match self {
            Self::Sqlite => Ok(format!("sqlite:{}", folder.join("accounts.db").display())),
            Self::Postgres(postgres) => postgres.database(),
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

    /// Prepares a contestant with an empty database.
    pub(crate) fn install(&self, bench: &Bench, contestant: &Contestant) -> Outcome<Installation> {
        let folder = folder()?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        let (url, data, work) =
            (self.database(folder.path())?, data.display().to_string(), bench.work.display().to_string());
        let mut settings = vec![("DATABASE_URL", url.as_str()), LONG_TOKENS];
        settings.extend(COSTS);
        let mut installation = if contestant.dialect == Dialect::Ours {
            // Every request is logged, as in production.
            settings.extend([("LOG", "info"), ("MEDIA_DIR", &data)]);
            let mut ours = Installation::in_folder(folder, &contestant.program, &settings)?;
            let secret = ours.secret_key()?;
            ours.set("INTROSPECTION_SECRET", &secret);
            ours
        } else {
            settings.extend([("DATA_DIR", data.as_str()), ("BENCH_WORK", &work), ("SECRET_KEY", PEER_SECRET)]);
            let mut peer = Installation::of_peer(folder, &contestant.program, &settings)?;
            // Peers are scripts.
            for name in ["PATH", "HOME"] {
                peer.set(name, &std::env::var(name).unwrap_or_default());
            }
            peer
        };
        installation.beside = match self {
            Self::Sqlite => None,
            Self::Postgres(postgres) => Some(postgres.tree()),
        };
        Ok(installation)
    }
}

/// A contestant that runs.
pub(crate) struct Entrant<'b> {
    pub(crate) contestant: &'b Contestant,
    pub(crate) server: Server,
    /// After the server, which uses it.
    pub(crate) installation: Installation,
}

impl<'b> Entrant<'b> {
    pub(crate) fn start(bench: &Bench, contestant: &'b Contestant, home: &Home<'_>) -> Outcome<Self> {
        Self::begin(contestant, home.install(bench, contestant)?)
    }

    pub(crate) fn begin(contestant: &'b Contestant, installation: Installation) -> Outcome<Self> {
        let server = installation.start(Log::Nowhere, &[])?;
        Ok(Self { contestant, server, installation })
    }

    /// Stops the server.
    pub(crate) fn end(self) -> Outcome<Installation> {
        self.server.stop_peer()?;
        Ok(self.installation)
    }

    pub(crate) fn name(&self) -> &'b str {
        &self.contestant.name
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.contestant.dialect == Dialect::Ours
    }

    /// Registers the first users, several at a time.
    pub(crate) async fn register(&self, users: usize) -> Outcome<()> {
        let requests: Vec<_> = (0..users).map(|number| self.contestant.registration(User(number))).collect();
        for some in requests.chunks(CLIENTS) {
            let status = self.contestant.registered();
            let plan = Plan { clients: some.len(), window: Duration::ZERO, deadline: PATIENCE, status };
            load::run(&self.server, plan, &Arc::new(some.to_vec())).await?.whole().doing("registering users")?;
        }
        Ok(())
    }

    /// Logs the first users in, in turn, for `count` sessions, and checks that each works.
    pub(crate) async fn sessions(&self, users: usize, count: usize) -> Outcome<Vec<Session>> {
        let contestant = self.contestant;
        let mut connection = Connection::open(self.server.address).await?;
        let mut sessions = Vec::new();
        for number in 0..count {
            let user = User(number % users);
            let session = contestant.session(&connection.ask(&contestant.login(user)).await?.expect(200)?)?;
            let answer = connection.ask(&session.get(contestant.me())).await?.expect(200)?;
            if !answer.text().contains(&user.email()) {
                return broken(format!("{} does not know who has logged in", contestant.name));
            }
            sessions.push(session);
        }
        Ok(sessions)
    }
}

/// Starts all contestants of a part. A peer that does not work is left out with a note; ours has to work.
pub(crate) async fn entrants<'b>(
    bench: &'b Bench,
    findings: &mut Findings,
    home: &Home<'_>,
    users: usize,
) -> Outcome<Vec<Entrant<'b>>> {
    let mut entrants = Vec::new();
    for contestant in bench.contestants().filter(|contestant| home.takes(contestant)) {
        let started = async {
            let entrant = Entrant::start(bench, contestant, home)?;
            entrant.register(users).await?;
            Ok(entrant)
        };
        if let Some(entrant) = or_left_out(findings, contestant, started.await)? {
            entrants.push(entrant);
        }
    }
    Ok(entrants)
}

/// The result of a contestant; `None`, and a note, if it is a peer and broke.
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

/// The order of a round: each contestant begins in turn, and every second round goes backwards.
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
    fn every_round_has_all_contestants_once_and_begins_with_another() {
        let orders: Vec<_> = (0..4).map(|round| order(3, round)).collect();
        assert_eq!(orders, [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]]);
    }
}
