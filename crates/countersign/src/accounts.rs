//! Decides what an application holds: the [`Accounts`] handle.

use std::sync::{Arc, PoisonError, RwLock};

use countersign_db::{Db, DbError};
use jiff::Timestamp;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::mail::{Mailbox, Mailer};
use crate::model::{Profile, Session, UserId};
use crate::secrets::access_token::{KeyLookup, Keyring, LoadedKeyring, TokenKey};
use crate::secrets::hashing_pool::{HashingMetrics, HashingPool};
use crate::secrets::session_secret::SessionSecretKeys;
use crate::session_cache::{Changed, Changing, SessionCache};
use crate::store;

/// The accounts of an application; cheap to clone. Its methods are what can be done, one file each in `operations/`.
#[derive(Clone)]
pub struct Accounts(Arc<Parts>);

struct Parts {
    db: Db,
    config: Config,
    clock: Arc<dyn Clock>,
    keyring: RwLock<LoadedKeyring>,
    key_lookup: tokio::sync::Mutex<KeyLookup>,
    session_secrets: SessionSecretKeys,
    session_cache: Option<SessionCache>,
    hashing: HashingPool,
    mailer: Mailer,
}

impl Accounts {
    /// Accounts in this database, on the system's clock. The database must have [`crate::MIGRATIONS`].
    pub fn new(db: Db, config: Config) -> Self {
        Self::with_clock(db, config, Arc::new(SystemClock))
    }

    /// The same on another clock.
    ///
    /// # Panics
    /// When the system has no thread to give for hashing.
    pub fn with_clock(db: Db, config: Config, clock: Arc<dyn Clock>) -> Self {
        let keys: Vec<TokenKey> =
            config.secret_keys().iter().map(|key| TokenKey::of_secret(key, &config.issuer)).collect();
        let signing_kid = keys[0].kid().to_owned();
        let keyring = Keyring::new(&config.issuer, keys, &signing_kid, config.session_cache_max)
            .expect("the first key is among them");
        let keyring = RwLock::new(LoadedKeyring { keyring: Arc::new(keyring), loaded_at: None });
        let session_secrets = SessionSecretKeys::new(config.secret_keys());
        let session_cache = (config.session_cache_max > 0).then(|| SessionCache::new(config.session_cache_max));
        let hashing = HashingPool::new(&config.hashing, &config.hash_parameters);
        let key_lookup = tokio::sync::Mutex::default();
        let mailer = Mailer::new(&config.mail, &config.public_url);
        Self(Arc::new(Parts {
            db,
            config,
            clock,
            keyring,
            key_lookup,
            session_secrets,
            session_cache,
            hashing,
            mailer,
        }))
    }

    /// The database, for a host's own tables beside ours.
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The source of time.
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

    /// Held by whoever reads the keys because a token named one that is not in the ring.
    pub(crate) fn key_lookup(&self) -> &tokio::sync::Mutex<KeyLookup> {
        &self.0.key_lookup
    }

    pub(crate) fn session_secrets(&self) -> &SessionSecretKeys {
        &self.0.session_secrets
    }

    pub(crate) fn session_cache(&self) -> Option<&SessionCache> {
        self.0.session_cache.as_ref()
    }

    /// To be held from before a transaction that changes a session or its user until after its commit.
    pub(crate) fn changing(&self, what: Changed) -> Changing<'_> {
        Changing::new(self.session_cache(), what)
    }

    #[expect(dead_code, reason = "the jobs that send mail are being built")]
    pub(crate) fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }

    /// The mails that were captured; `None` when they are sent.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        self.0.mailer.mailbox()
    }

    pub(crate) fn hashing(&self) -> &HashingPool {
        &self.0.hashing
    }

    /// What everybody may see of a user; `None` when there is no such user.
    pub async fn find_profile(&self, id: UserId) -> Result<Option<Profile>, DbError> {
        store::users::find_profile(self.db().read().await?.conn(), id).await
    }

    /// When somebody last logged in, as far as their session is still there.
    pub async fn newest_login_at(&self) -> Result<Option<Timestamp>, DbError> {
        store::sessions::find_newest_created_at(self.db().read().await?.conn()).await
    }

    /// How the hashing of passwords goes.
    pub fn hashing_metrics(&self) -> HashingMetrics {
        self.hashing().metrics()
    }

    /// Where a user is logged in, the session used last first; at most 100.
    pub async fn list_sessions(&self, user: UserId) -> Result<Vec<Session>, DbError> {
        store::sessions::list_of_user(self.db().read().await?.conn(), user, self.clock().now()).await
    }
}
