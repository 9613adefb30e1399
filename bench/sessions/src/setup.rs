//! Decides how a part gets its database, its users and their sessions.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_db::DatabaseKind;
use countersign_db::testing::TempDb;
use tokio::task::JoinSet;

use crate::broken::Outcome;
use crate::http::{Connection, Tokens, User};
use crate::server::Installation;

/// They log in beside each other.
const CONNECTIONS: usize = 8;

/// An installation on a PostgreSQL of its own, which ends with this program.
pub(crate) struct OnPostgres {
    pub(crate) installation: Installation,
    _database: TempDb,
}

impl OnPostgres {
    pub(crate) async fn new(program: &Path) -> Outcome<Self> {
        let database = TempDb::of_kind(DatabaseKind::Postgres, &[]).await;
        Ok(Self { installation: Installation::new(program, database.url())?, _database: database })
    }
}

/// Registers users and logs them in, in turn, until there are so many sessions.
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
