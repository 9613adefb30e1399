//! Dedicated PostgreSQL servers, for tests of connections through a pooler or over a network with TLS.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU8, Ordering};

use super::cluster::{Cluster, Plan};
use super::pooler::Reach;

/// A server for a single test, stopped when dropped. Its database and its user are both `postgres`.
pub struct LoneServer {
    cluster: Cluster,
    address: Ipv4Addr,
}

/// How long a client keeps a pooler's server connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolMode {
    /// Until the client disconnects.
    Session,
    /// Until its transaction ends.
    Transaction,
}

impl LoneServer {
    /// Starts a server behind a pooler with these additional settings.
    ///
    /// # Panics
    /// If it does not start.
    pub fn behind_pooler(mode: PoolMode, settings: &str) -> Self {
        let reach = match mode {
            PoolMode::Session => Reach::SessionPooler,
            PoolMode::Transaction => Reach::TransactionPooler,
        };
        let plan = Plan { reach, pooler_settings: settings, ..Plan::default() };
        Self { cluster: Cluster::start(&plan), address: Ipv4Addr::LOCALHOST }
    }

    /// Starts a server that listens on `address`, with these files (in its parent folder, so that it finds them as
    /// `../name`) and these settings. A file `pg_hba.conf` controls who may log in.
    ///
    /// # Panics
    /// If it does not start.
    pub fn on_network(address: Ipv4Addr, files: &[(&str, &str)], settings: &[&str]) -> Self {
        let listen = format!("listen_addresses={address}");
        let options: Vec<&str> =
            std::iter::once(listen.as_str()).chain(settings.iter().copied()).flat_map(|one| ["-c", one]).collect();
        Self { cluster: Cluster::start(&Plan { files, options: &options, ..Plan::default() }), address }
    }

    /// Returns its address by socket, through the pooler if there is one, but without declaring the pooler.
    pub fn url(&self) -> String {
        let url = self.cluster.url("postgres");
        url.split('?').next().unwrap_or_default().to_owned()
    }

    /// Returns its address on the network; `login` is a user name, optionally with a password.
    pub fn network_url(&self, login: &str) -> String {
        format!("postgres://{login}@{}:5432/postgres", self.address)
    }

    /// Runs a statement as the administrator.
    ///
    /// # Panics
    /// If the server refuses it.
    pub async fn execute(&self, statement: &str) {
        self.cluster.execute(statement).await.expect("the administrator may do that");
    }
}

/// Returns a loopback address that only this process uses.
///
/// # Panics
/// On the fourth call in a process.
pub fn own_address() -> Ipv4Addr {
    static COUNT: AtomicU8 = AtomicU8::new(1);

    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    assert!(count <= 3, "a process has three addresses");
    // Process ids have 22 bits.
    let [_, one, two, three] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, (count << 6) | one, two, three)
}
