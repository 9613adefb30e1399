//! The cluster: three instances behind nginx, on one PostgreSQL behind a movable address, with their pictures in one
//! bucket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::broken::{Broken, Outcome};
use crate::client::Target;
use crate::forwarder::Forwarder;
use crate::instance::{Installation, Instance};
use crate::ledger::Ledger;
use crate::load::{AfterFailure, Load};
use crate::nginx::{Nginx, free_address};
use crate::parts::disk::Way;
use crate::postgres::Postgres;
use crate::promises;
use crate::s3::{ACCESS_KEY, BUCKET, S3Server, SECRET_KEY};

pub(crate) const INSTANCES: usize = 3;
/// Longer than nginx avoids an instance that refused a connection (`fail_timeout`).
const LEFT_ALONE: Duration = Duration::from_millis(2_500);
/// Longest time without progress of the clients before the part aborts.
const STANDSTILL_MAX: Duration = Duration::from_mins(1);

/// The amount of work.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) clients: usize,
    /// Restarts or kills per instance.
    pub(crate) turns: usize,
    /// Requests between two disturbances.
    pub(crate) requests_between: usize,
    /// How long nginx keeps idle connections, in seconds.
    pub(crate) idle_seconds: u32,
    /// Kills of the server in `rounds`.
    pub(crate) rounds: usize,
    /// Cancelled requests in `storm`.
    pub(crate) given_up: usize,
    /// Number of times the disk is filled in `disk`.
    pub(crate) fills: usize,
    /// Ways to fill it.
    pub(crate) disks: &'static [Way],
}

pub(crate) struct Cluster {
    pub(crate) installation: Installation,
    pub(crate) instances: Vec<Instance>,
    pub(crate) postgres: Postgres,
    pub(crate) forwarder: Forwarder,
    pub(crate) nginx: Nginx,
    _bucket: S3Server,
    program: PathBuf,
    pub(crate) scale: Scale,
    users: Arc<AtomicUsize>,
}

impl Cluster {
    pub(crate) async fn start(program: &Path, scale: Scale) -> Outcome<Self> {
        let postgres = Postgres::start()?;
        let forwarder = Forwarder::start(postgres.address).await?;
        let bucket = S3Server::start().await;
        let mut installation = Installation::new(program, &Postgres::url(forwarder.address))?;
        let policy = bucket.policy();
        for (name, value) in [
            ("S3_BUCKET_NAME", BUCKET),
            ("S3_ENDPOINT_URL", policy.endpoint_url.as_deref().unwrap_or_default()),
            ("S3_ACCESS_KEY_ID", ACCESS_KEY),
            ("S3_SECRET_ACCESS_KEY", SECRET_KEY),
            ("MEDIA_DELIVERY", "served"),
            ("SHUTDOWN_DELAY_SECONDS", &(scale.idle_seconds + 2).to_string()),
        ] {
            installation.set(name, value);
        }
        let mut instances = Vec::new();
        for _ in 0..INSTANCES {
            instances.push(installation.start(program, free_address()).await?);
        }
        let addresses: Vec<SocketAddr> = instances.iter().map(|instance| instance.address).collect();
        let nginx = Nginx::start(&addresses, scale.idle_seconds);
        let (program, users) = (program.to_owned(), Arc::new(AtomicUsize::new(0)));
        Ok(Self { installation, instances, postgres, forwarder, nginx, _bucket: bucket, program, scale, users })
    }

    fn target(&self) -> Outcome<Target> {
        Target::with_tls(self.nginx.https, &self.nginx.certificate())
    }

    /// Starts clients that use nginx, and waits until they have made requests.
    pub(crate) async fn load(&self) -> Outcome<Load> {
        let load = Load::begin(&self.target()?, self.scale.clients, &self.users, AfterFailure::GoOn);
        self.some_requests(&load).await?;
        Ok(load)
    }

    /// Waits until the clients have made more requests.
    pub(crate) async fn some_requests(&self, load: &Load) -> Outcome<()> {
        let (before, begun) = (load.asked(), Instant::now());
        while load.asked() < before + self.scale.requests_between {
            if begun.elapsed() > STANDSTILL_MAX {
                return Err(Broken(format!("the clients stand still; nginx: {}", self.nginx.errors())));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Stops one instance like a process manager, and starts this program at its address.
    pub(crate) async fn replace(&mut self, number: usize, program: &Path) -> Outcome<()> {
        let instance = self.instances.remove(number);
        let address = instance.address;
        let status = instance.stop().await?;
        if !status.success() {
            return Err(Broken(format!("an instance ended with {status} after SIGTERM")));
        }
        self.instances.insert(number, self.installation.start(program, address).await?);
        Ok(())
    }

    /// Kills one instance and starts it again.
    pub(crate) async fn kill(&mut self, number: usize) -> Outcome<()> {
        let instance = self.instances.remove(number);
        let address = instance.address;
        instance.kill()?;
        let program = self.program.clone();
        self.instances.insert(number, self.installation.start(&program, address).await?);
        // Killing another one while nginx still avoids the earlier ones would leave no upstream.
        sleep(LEFT_ALONE).await;
        Ok(())
    }

    /// Prints what the clients did, and nginx's errors if requests failed.
    pub(crate) fn explain(&self, ledger: &Ledger) {
        println!("{}", ledger.summary());
        if !ledger.failures.is_empty() {
            self.nginx
                .errors()
                .lines()
                .filter(|line| line.contains("[error]"))
                .for_each(|line| println!("nginx: {line}"));
        }
    }

    /// Returns what was acknowledged and is lost.
    pub(crate) async fn broken_promises(&self, ledger: &Ledger) -> Outcome<Vec<String>> {
        promises::broken(&self.target()?, ledger).await
    }
}
