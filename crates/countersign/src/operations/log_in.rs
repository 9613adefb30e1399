//! Decides whether a name and a password belong together, and starts a session when they do.

use std::sync::Arc;

use countersign_db::DbError;

use super::steps::issue_tokens::{Issue, Tokens};

use crate::accounts::Accounts;
use crate::config::{LoginBy, RegistrationMode};
use crate::error::InternalError;
use crate::model::{ClientInfo, EmailAddress, EventKind, Password, UserId, Username, Verification};
use crate::secrets;
use crate::secrets::hashing_pool::Overloaded;
use crate::secrets::password_hash::{self, PasswordHash};
use crate::store;
use crate::store::sessions::NewSession;
use crate::store::users::Credentials;

/// What a login presents.
pub struct LogIn {
    /// The e-mail address, or the username where [`LoginBy`] allows it; any text.
    pub identifier: String,
    /// The password.
    pub password: Password,
    /// Who is asking.
    pub client: ClientInfo,
}

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// No such user, or another password: deliberately one case.
    #[error("the identifier and the password do not belong together")]
    WrongCredentials,
    /// The password is right, but nobody has shown yet that they read the address, and [`RegistrationMode::Verified`] asks
    /// that.
    #[error("the e-mail address is not verified")]
    EmailNotVerified,
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// Something broke.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl From<DbError> for LogInError {
    fn from(error: DbError) -> Self {
        Self::Internal(error.into())
    }
}

impl Accounts {
    /// Logs a user in. An unknown identifier costs the same work as a wrong password.
    pub async fn log_in(&self, log_in: LogIn) -> Result<Tokens, LogInError> {
        let LogIn { identifier, password, client } = log_in;
        let password = Arc::new(password);
        let costs = &self.config().hash_parameters;
        let found = self.find_credentials(&identifier).await?;
        // A hash that cannot be read matches nothing, like that of a user who does not exist.
        let hash = found.as_ref().and_then(|found| PasswordHash::parse(&found.password_hash).ok());
        let hash = hash.unwrap_or_else(|| password_hash::decoy(costs));
        let matched = self.hashing().verify(client.network(), &hash, &password).await?;
        let Some(Credentials { user, password_hash: stored, verification }) = found.filter(|_| matched) else {
            return Err(LogInError::WrongCredentials);
        };
        if verification == Verification::Unverified && self.config().registration == RegistrationMode::Verified {
            return Err(LogInError::EmailNotVerified);
        }
        let upgrade = if hash.needs_upgrade(costs) {
            Some(self.hashing().hash(client.network(), *costs, &password).await?)
        } else {
            None
        };
        self.start_session(user, &stored, upgrade, &client).await
    }

    async fn find_credentials(&self, identifier: &str) -> Result<Option<Credentials>, DbError> {
        let mut read = self.db().read().await?;
        if let Ok(email) = EmailAddress::parse(identifier) {
            return store::users::find_credentials_by_email(read.conn(), &email).await;
        }
        match (self.config().login_by, Username::parse(identifier)) {
            (LoginBy::EmailOrUsername, Ok(username)) => {
                store::users::find_credentials_by_username(read.conn(), &username).await
            }
            _ => Ok(None),
        }
    }

    async fn start_session(
        &self,
        user: UserId,
        stored: &str,
        upgrade: Option<String>,
        client: &ClientInfo,
    ) -> Result<Tokens, LogInError> {
        let now = self.clock().now();
        let salt = secrets::bytes::<32>();
        let session = self.new_session(user, &salt, client, now);
        let mut tx = self.db().write().await?;
        // Changed or deleted between the look and the leap.
        if !store::users::note_login(tx.conn(), user, stored, now).await? {
            return Err(LogInError::WrongCredentials);
        }
        if let Some(upgrade) = upgrade {
            store::users::replace_password_hash(tx.conn(), user, stored, &upgrade, now).await?;
        }
        store::sessions::delete_expired_of(tx.conn(), user, now).await?;
        store::sessions::insert(tx.conn(), &session).await?;
        // The first device of all is no news to anybody.
        let others = store::known_devices::note(tx.conn(), user, &client.device(), now).await?;
        let is_news = others.is_some_and(|others| others > 0);
        if is_news {
            self.promise_notice(tx.conn(), user, EventKind::NewSignIn, client, now).await?;
        }
        tx.commit().await?;
        if is_news {
            self.jobs_are_due();
        }
        let NewSession { id, expires_at, .. } = session;
        Ok(self.issue_tokens(&Issue { user, session: id, salt: &salt, refresh_counter: 0, expires_at }, now).await?)
    }
}
