//! Databases, users and sessions that the parts start from.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bench_kit::account::{Tokens, User};
use bench_kit::broken::Outcome;
use bench_kit::client::Connection;
use bench_kit::postgres::{Postgres, VOLATILE};
use bench_kit::server::{CHEAP_LOGINS, Installation, LONG_TOKENS};
use tokio::task::JoinSet;

use crate::Bench;

/// Users who log in at the same time.
const CONNECTIONS: usize = 8;

/// The database of a part.
#[derive(Clone, Copy)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Bench {
    /// On a database of its own.
    pub(crate) fn installation(&self, database: Database) -> Outcome<Installation> {
        let url = match database {
            Database::Sqlite => "sqlite:accounts.db".to_owned(),
            Database::Postgres => self.postgres()?.database()?,
        };
        Installation::new(&self.program, &[&[("DATABASE_URL", url.as_str()), LONG_TOKENS], &CHEAP_LOGINS[..]].concat())
    }

    /// One server for all parts, which is started by the first that needs it.
    fn postgres(&self) -> Outcome<&Postgres> {
        if let Some(postgres) = self.postgres.get() {
            return Ok(postgres);
        }
        let postgres = Postgres::start(&VOLATILE)?;
        Ok(self.postgres.get_or_init(|| postgres))
    }
}

/// Registers users and logs them in, in turn, for `count` sessions.
pub(crate) async fn sessions(server: SocketAddr, users: Range<usize>, count: usize) -> Outcome<Vec<Tokens>> {
    let mut connection = Connection::open(server).await?;
    for user in users.clone() {
        connection.ask(&User(user).registration()).await?.expect(201)?;
    }
    let next = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (next, users) = (Arc::clone(&next), users.clone());
        clients.spawn(async move {
            let mut connection = Connection::open(server).await?;
            let mut sessions = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Outcome::Ok(sessions);
                }
                let answer = connection.ask(&User(users.start + number % users.len()).login()).await?.expect(200)?;
                sessions.push(Tokens::read(&answer)?);
            }
        });
    }
    let mut sessions = Vec::new();
    while let Some(ended) = clients.join_next().await {
        sessions.extend(ended??);
    }
    Ok(sessions)
}
