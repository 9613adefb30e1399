//! The [`Accounts`] handle, which an application holds.

#[cfg(feature = "pictures")]
use std::sync::OnceLock;
use std::sync::{Arc, Once, PoisonError, RwLock};

use countersign_db::Db;
use jiff::Timestamp;
use tokio::sync::{Notify, Semaphore};

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::event_counts::{AccountsMetrics, EventCounts};
use crate::limits::Limiter;
use crate::mail::{Mailbox, Mailer};
#[cfg(feature = "pictures")]
use crate::media::{DecodingPool, Storage, StorageError};
use crate::secrets::Keys;
use crate::secrets::access_token::{KeyLookup, Keyring, LoadedKeyring, TokenKey};
use crate::secrets::hashing_pool::{HashingMetrics, HashingPool};
use crate::session_cache::SessionCache;
use crate::workers::Workers;

/// How many sessions can have their use recorded at the same time. The others are recorded on their next use.
const NOTES_OF_USE_MAX: usize = 4;

/// The accounts of an application; cheap to clone. Its methods are the operations, one file each in `operations/`.
#[derive(Clone)]
pub struct Accounts(Arc<Parts>);

struct Parts {
    db: Db,
    config: Config,
    clock: Arc<dyn Clock>,
    keyring: RwLock<LoadedKeyring>,
    key_lookup: tokio::sync::Mutex<KeyLookup>,
    /// Keys of everything but access tokens.
    keys: Keys,
    limiter: Limiter,
    session_cache: Option<Arc<SessionCache>>,
    last_use_permits: Arc<Semaphore>,
    hashing: HashingPool,
    #[cfg(feature = "pictures")]
    /// Opened on first use: a host without pictures needs none.
    storage: OnceLock<Storage>,
    #[cfg(feature = "pictures")]
    decoding: DecodingPool,
    mailer: Mailer,
    jobs_due: Notify,
    workers: Workers,
    unknown_clients: Once,
    event_counts: EventCounts,
}

impl Accounts {
    /// Creates accounts in this database, with the system's clock. The database must have [`crate::MIGRATIONS`].
    pub fn new(db: Db, config: Config) -> Self {
        Self::with_clock(db, config, Arc::new(SystemClock))
    }

    /// Creates accounts with another clock.
    ///
    /// # Panics
    /// If the system cannot start a hashing thread.
    pub fn with_clock(db: Db, config: Config, clock: Arc<dyn Clock>) -> Self {
        let token_keys: Vec<TokenKey> =
            config.secret_keys().iter().map(|key| TokenKey::of_secret(key, &config.tokens)).collect();
        let signing_kid = token_keys[0].kid().to_owned();
        let keyring = Keyring::new(&config.tokens, token_keys, &signing_kid, config.session.cache_max)
            .expect("the first key is among them");
        let keyring = RwLock::new(LoadedKeyring { keyring: Arc::new(keyring), loaded_at: None });
        let keys = Keys::new(config.secret_keys());
        let limiter = Limiter::new(config.limits.as_ref());
        let session_cache =
            (config.session.cache_max > 0).then(|| Arc::new(SessionCache::new(config.session.cache_max)));
        let last_use_permits = Arc::new(Semaphore::new(NOTES_OF_USE_MAX));
        let hashing = HashingPool::new(&config.hashing, &config.password.hash_parameters);
        #[cfg(feature = "pictures")]
        let decoding = DecodingPool::new(&config.media);
        let key_lookup = tokio::sync::Mutex::default();
        let mailer = Mailer::new(&config.mail, config.public_url.as_str());
        Self(Arc::new(Parts {
            db,
            config,
            clock,
            keyring,
            key_lookup,
            keys,
            limiter,
            session_cache,
            last_use_permits,
            hashing,
            #[cfg(feature = "pictures")]
            storage: OnceLock::new(),
            #[cfg(feature = "pictures")]
            decoding,
            mailer,
            jobs_due: Notify::new(),
            workers: Workers::default(),
            unknown_clients: Once::new(),
            event_counts: EventCounts::new(),
        }))
    }

    /// Returns the database, also for a host's own tables.
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// Returns the settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Returns the clock.
    pub fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }

    pub(crate) fn loaded_keyring(&self) -> LoadedKeyring {
        self.0.keyring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_keyring(&self, keyring: Keyring, loaded_at: Timestamp) -> Arc<Keyring> {
        let keyring = Arc::new(keyring);
        let mut loaded = self.0.keyring.write().unwrap_or_else(PoisonError::into_inner);
        loaded.keyring = Arc::clone(&keyring);
        loaded.loaded_at = Some(loaded_at);
        keyring
    }

    /// Returns the lock that is held by the request that reads the keys.
    pub(crate) fn key_lookup(&self) -> &tokio::sync::Mutex<KeyLookup> {
        &self.0.key_lookup
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub(crate) fn session_cache(&self) -> Option<&Arc<SessionCache>> {
        self.0.session_cache.as_ref()
    }

    /// Returns the permits for recording that sessions are in use.
    pub(crate) fn last_use_permits(&self) -> &Arc<Semaphore> {
        &self.0.last_use_permits
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.0.limiter
    }

    /// Wakes the worker. Call this after committing a transaction that enqueues a job; without it, the job runs a
    /// little later.
    pub(crate) fn wake_worker(&self) {
        self.0.jobs_due.notify_one();
    }

    /// Waits until this instance enqueues a job.
    pub(crate) async fn wait_for_jobs(&self) {
        self.0.jobs_due.notified().await;
    }

    pub(crate) fn workers(&self) -> &Workers {
        &self.0.workers
    }

    /// Warns once that requests come without the client's address, so that network limits apply to all of them
    /// together.
    pub(crate) fn warn_once_of_unknown_clients(&self) {
        self.0.unknown_clients.call_once(|| {
            tracing::warn!(
                "requests come without the address of their client, so all clients share the limits of one: serve the router by \
                 `into_make_service_with_connect_info::<SocketAddr>()`, or put a `ClientAddress` into each request's extensions"
            );
        });
    }

    pub(crate) fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }

    /// Returns the captured mails, or `None` if mails are sent.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        self.0.mailer.mailbox()
    }

    pub(crate) fn hashing(&self) -> &HashingPool {
        &self.0.hashing
    }

    /// Returns the metrics of password hashing.
    pub fn hashing_metrics(&self) -> HashingMetrics {
        self.hashing().metrics()
    }

    /// Returns what this instance has done since its start.
    pub fn metrics(&self) -> AccountsMetrics {
        self.event_counts().read(self.session_cache().map_or(0, |cache| cache.len()))
    }

    pub(crate) fn event_counts(&self) -> &EventCounts {
        &self.0.event_counts
    }
}

#[cfg(feature = "pictures")]
impl Accounts {
    /// Returns the storage of profile pictures.
    pub fn storage(&self) -> Result<&Storage, StorageError> {
        if let Some(storage) = self.0.storage.get() {
            return Ok(storage);
        }
        let storage = Storage::open(&self.config().media.storage)?;
        Ok(self.0.storage.get_or_init(|| storage))
    }

    pub(crate) fn decoding(&self) -> &DecodingPool {
        &self.0.decoding
    }
}
