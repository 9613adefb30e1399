//! Decides what an application holds: the [`Accounts`] handle.

use std::sync::Arc;

use countersign_db::{Db, DbError};
use jiff::Timestamp;

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::model::{Profile, Session, UserId};
use crate::secrets::access_token::AccessTokens;
use crate::secrets::hashing_pool::{HashingMetrics, HashingPool};
use crate::secrets::session_secret::SessionSecretKeys;
use crate::store;

/// The accounts of an application; cheap to clone. Its methods are what can be done, one file each in `operations/`.
#[derive(Clone)]
pub struct Accounts(Arc<Parts>);

struct Parts {
    db: Db,
    config: Config,
    clock: Arc<dyn Clock>,
    tokens: AccessTokens,
    session_secrets: SessionSecretKeys,
    hashing: HashingPool,
}

impl Accounts {
    /// Accounts in this database, on the system's clock. The database must have [`crate::MIGRATIONS`].
    pub fn new(db: Db, config: Config) -> Self {
        Self::with_clock(db, config, Arc::new(SystemClock))
    }

    /// The same on another clock.
    pub fn with_clock(db: Db, config: Config, clock: Arc<dyn Clock>) -> Self {
        let tokens = AccessTokens::new(&config.secret_key, &config.issuer);
        let session_secrets = SessionSecretKeys::new([&config.secret_key].into_iter());
        let hashing = HashingPool::new(&config.hashing, &config.hash_parameters);
        Self(Arc::new(Parts { db, config, clock, tokens, session_secrets, hashing }))
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

    pub(crate) fn tokens(&self) -> &AccessTokens {
        &self.0.tokens
    }

    pub(crate) fn session_secrets(&self) -> &SessionSecretKeys {
        &self.0.session_secrets
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
