//! PostgreSQL servers of their own, for tests of how a server is reached: through a pooler, or over a network with TLS.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, Ordering};

use super::cluster::{Cluster, Plan};
use super::pooler::Reach;

/// A server that one test has for itself; gone when dropped. Its database is `postgres`, and so is its user.
pub struct LoneServer {
    cluster: Cluster,
    address: Ipv4Addr,
}

/// How long a pooler leaves a client with the same connection to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// As long as the client stays.
    Session,
    /// As long as its transaction lasts.
    Transaction,
}

impl LoneServer {
    /// A server behind a pooler that has these lines among its settings.
    ///
    /// # Panics
    /// When it does not start.
    pub fn behind_pooler(mode: PoolMode, settings: &str) -> Self {
        let reach = match mode {
            PoolMode::Session => Reach::SessionPooler,
            PoolMode::Transaction => Reach::TransactionPooler,
        };
        let plan = Plan { reach, pooler_settings: settings, ..Plan::default() };
        Self { cluster: Cluster::start(&plan), address: Ipv4Addr::LOCALHOST }
    }

    /// A server that listens on `address`, with these files (above its own folder, so that it finds them as `../name`) and
    /// these settings. A file `pg_hba.conf` says who is let in.
    ///
    /// # Panics
    /// When it does not start.
    pub fn on_network(address: Ipv4Addr, files: &[(&str, &str)], settings: &[&str]) -> Self {
        let listen = format!("listen_addresses={address}");
        let options: Vec<&str> =
            std::iter::once(listen.as_str()).chain(settings.iter().copied()).flat_map(|one| ["-c", one]).collect();
        Self { cluster: Cluster::start(&Plan { files, options: &options, ..Plan::default() }), address }
    }

    /// Its address by a socket, for users let in there; through the pooler if there is one, and without a word of it.
    pub fn url(&self) -> String {
        let url = self.cluster.url("postgres");
        url.split('?').next().unwrap_or_default().to_owned()
    }

    /// Its address in the network; `login` is a user, with a password or without.
    pub fn network_url(&self, login: &str) -> String {
        format!("postgres://{login}@{}:5432/postgres", self.address)
    }

    /// Runs a statement as its administrator.
    ///
    /// # Panics
    /// When that is refused.
    pub async fn execute(&self, statement: &str) {
        self.cluster.execute(statement).await.expect("the administrator may do that");
    }
}

/// An address of this machine that nobody else listens on: a machine has many for itself, and this one belongs to the process.
///
/// # Panics
/// When a process asks for a fourth.
pub fn own_address() -> Ipv4Addr {
    static COUNT: AtomicU8 = AtomicU8::new(1);

    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    assert!(count <= 3, "a process has three addresses");
    // Process numbers have 22 bits.
    let [_, one, two, three] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, (count << 6) | one, two, three)
}
