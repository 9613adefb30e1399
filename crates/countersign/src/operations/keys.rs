//! How the keys that sign access tokens are looked at and changed, without anybody being logged out.

use countersign_db::DbError;
use jiff::SignedDuration;

use super::steps::keyring::described;
use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::model::{SigningAlgorithm, SigningKey, later};
use crate::session_cache::Changed;
use crate::store;

/// Verifiers may keep the public keys for so long before they ask again (`/.well-known/jwks.json`); a new key is used
/// only after that.
pub const PUBLISH_AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// Why no new key was made.
#[derive(Debug, thiserror::Error)]
pub enum RotateSigningKeyError {
    /// The key of HS256 is `SECRET_KEY`; that is replaced by way of `SECRET_KEY_PREVIOUS`.
    #[error("the key of HS256 is SECRET_KEY itself: set a new one, and give the old one in SECRET_KEY_PREVIOUS")]
    NoneToRotate,
    /// Something broke.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl Accounts {
    /// All signing keys that are kept in the database, the newest last.
    pub async fn list_signing_keys(&self) -> Result<Vec<SigningKey>, DbError> {
        let stored = store::signing_keys::list(self.db().read().await?.conn()).await?;
        Ok(described(&stored, self.config().session.access_token_ttl, self.clock().now()))
    }

    /// Makes a new key of the configured algorithm that is published at once and used after `ahead`. Running instances
    /// notice it by themselves. The `kid`.
    pub async fn rotate_signing_key(&self, ahead: SignedDuration) -> Result<String, RotateSigningKeyError> {
        let algorithm = self.config().tokens.signing_algorithm;
        if algorithm == SigningAlgorithm::Hs256 {
            return Err(RotateSigningKeyError::NoneToRotate);
        }
        let now = self.clock().now();
        let active_from = later(now, ahead);
        let kid = self.add_signing_key(algorithm, now, active_from).await.map_err(InternalError::from)?;
        self.reload_keyring().await?;
        Ok(kid)
    }

    /// Withdraws a key: it signs no more, and its tokens are refused, by other instances within five seconds, or 35 while the
    /// database is slow. Whether there was one.
    pub async fn retire_signing_key(&self, kid: &str) -> Result<bool, InternalError> {
        let now = self.clock().now();
        let mut change = self.change(Changed::Nothing).await?;
        let retired = store::signing_keys::retire(change.conn(), kid, now).await?;
        change.commit().await?;
        self.reload_keyring().await?;
        Ok(retired)
    }

    /// The public keys as JSON Web Keys (RFC 7517), for whoever verifies tokens without asking.
    pub async fn public_keys(&self) -> Result<Vec<serde_json::Value>, InternalError> {
        let keyring = self.keyring(self.clock().now()).await?;
        Ok(keyring.jwks())
    }

    /// Encrypts under the present `SECRET_KEY` what is still encrypted under an earlier one; how much that was. After it
    /// the earlier ones can be left out of `SECRET_KEY_PREVIOUS`, once their last sessions have been refreshed.
    pub async fn reseal_secrets(&self) -> Result<usize, InternalError> {
        self.reseal().await
    }
}
