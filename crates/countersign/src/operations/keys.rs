//! Signing keys of access tokens: listing, rotation and retirement, without logging anyone out.

use countersign_db::DbError;
use jiff::SignedDuration;

use super::steps::keyring::described;
use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::model::{SigningAlgorithm, SigningKey, later};
use crate::session_cache::Changed;
use crate::store;

/// How long verifiers may cache the public keys (`/.well-known/jwks.json`). A new key signs only after that.
pub const PUBLISH_AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// Why the signing key was not rotated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotateSigningKeyError {
    /// The HS256 key is `SECRET_KEY` itself, which is rotated by way of `SECRET_KEY_PREVIOUS`.
    #[error("the key of HS256 is SECRET_KEY itself: set a new one, and give the old one in SECRET_KEY_PREVIOUS")]
    NoneToRotate,
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl Accounts {
    /// Lists the signing keys in the database, newest last.
    pub async fn list_signing_keys(&self) -> Result<Vec<SigningKey>, DbError> {
        let stored = store::signing_keys::list(self.db().read().await?.conn()).await?;
        Ok(described(&stored, self.config().session.access_token_ttl, self.clock().now()))
    }

    /// Creates a key of the configured algorithm, publishes it at once and signs with it after `ahead`. Running
    /// instances pick it up without a restart. Returns its `kid`.
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

    /// Retires a key: it no longer signs, and its tokens are refused. Other instances follow within five seconds, or 35
    /// while the database is slow. Returns whether the key existed.
    pub async fn retire_signing_key(&self, kid: &str) -> Result<bool, InternalError> {
        let now = self.clock().now();
        let mut change = self.change(Changed::Nothing).await?;
        let retired = store::signing_keys::retire(change.conn(), kid, now).await?;
        change.commit().await?;
        self.reload_keyring().await?;
        Ok(retired)
    }

    /// Returns the public keys as JSON Web Keys (RFC 7517), for services that verify tokens themselves.
    pub async fn public_keys(&self) -> Result<Vec<serde_json::Value>, InternalError> {
        let keyring = self.keyring(self.clock().now()).await?;
        Ok(keyring.jwks())
    }

    /// Re-encrypts under the current `SECRET_KEY` what is still encrypted under an earlier one, and returns how many
    /// secrets that were. Earlier keys can then leave `SECRET_KEY_PREVIOUS`, once their last sessions have been
    /// refreshed.
    pub async fn reseal_secrets(&self) -> Result<usize, InternalError> {
        self.reseal().await
    }
}
