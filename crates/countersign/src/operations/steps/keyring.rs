//! The keyring of an instance: which keys sign and verify now, and when it is reloaded from the database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_db::DbError;
use jiff::{SignedDuration, Timestamp};

use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::model::{Methods, SigningAlgorithm, SigningKey, SigningKeyState};
use crate::secrets;
use crate::secrets::access_token::{Bearer, KeyLookup, Keyring, LoadedKeyring, TokenKey, Verdict, generate_der};
use crate::secrets::sealing::{self, key_id};
use crate::session_cache::Changed;
use crate::store;
use crate::store::signing_keys::StoredKey;

/// Reload interval: how soon an instance notices a stored key that another one created or retired.
const RELOAD_EVERY: SignedDuration = SignedDuration::from_secs(5);
/// One request reloads while the others use the old keyring, up to this age. Then all wait.
const TRUSTED_MAX: SignedDuration = SignedDuration::from_secs(35);
/// Minimum interval between reloads for tokens with an unknown key id.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Accounts {
    /// Signs an access token.
    pub(in crate::operations) async fn sign_access_token(
        &self,
        bearer: Bearer,
        methods: Methods,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<String, InternalError> {
        let keyring = self.keyring(now).await?;
        keyring.sign(bearer, methods, now, expires_at).map_err(|error| InternalError::Token(error.into()))
    }

    /// Verifies an access token and returns its claims, or `None` if it is not valid.
    pub(in crate::operations) async fn verify_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Bearer>, InternalError> {
        let mut verdict = self.keyring(now).await?.verify(token, now);
        if verdict == Verdict::UnknownKey {
            verdict = Box::pin(self.look_for_key(token, now)).await?;
        }
        Ok(match verdict {
            Verdict::Accepted(bearer) => Some(bearer),
            Verdict::Refused | Verdict::UnknownKey => None,
        })
    }

    /// Verifies a token whose key another instance may have just created. Reloads the keys once for all requests that
    /// wait meanwhile. Forged tokens cause at most one reload per second and delay no other requests.
    async fn look_for_key(&self, token: &str, now: Timestamp) -> Result<Verdict, InternalError> {
        let asked_at = Instant::now();
        let mut lookup = self.key_lookup().lock().await;
        if !lookup.is_answered(asked_at) {
            if let Some(last) = lookup.begun_at {
                tokio::time::sleep(LOOK_AGAIN_AFTER.saturating_sub(last.elapsed())).await;
            }
            lookup.begun_at = Some(Instant::now());
        }
        Ok(self.read_keyring(&mut lookup, asked_at).await?.verify(token, now))
    }

    /// Returns a keyring that is fresh enough. HS256 needs no stored keys, except to verify tokens of another
    /// algorithm.
    pub(crate) async fn keyring(&self, now: Timestamp) -> Result<Arc<Keyring>, InternalError> {
        let loaded = self.loaded_keyring();
        let needs_none =
            self.config().tokens.signing_algorithm == SigningAlgorithm::Hs256 && !loaded.keyring.has_stored_keys();
        if needs_none || !is_older(loaded.loaded_at, RELOAD_EVERY, now) {
            return Ok(loaded.keyring);
        }
        // Boxed like other rare paths: axum allocates a handler's whole future on the heap for each request.
        Box::pin(self.renew_keyring(loaded, now)).await
    }

    /// Reloads a keyring that is due. A retired key is accepted for at most [`TRUSTED_MAX`], however slow the database
    /// is.
    async fn renew_keyring(&self, due: LoadedKeyring, now: Timestamp) -> Result<Arc<Keyring>, InternalError> {
        let asked_at = Instant::now();
        let may_go_on = !is_older(due.loaded_at, TRUSTED_MAX, now);
        let mut lookup = match (self.key_lookup().try_lock(), may_go_on) {
            (Ok(lookup), _) => lookup,
            (Err(_), true) => return Ok(due.keyring),
            (Err(_), false) => self.key_lookup().lock().await,
        };
        let loaded = self.loaded_keyring();
        if !is_older(loaded.loaded_at, RELOAD_EVERY, now) {
            return Ok(loaded.keyring);
        }
        match self.read_keyring(&mut lookup, asked_at).await {
            Err(error) if may_go_on => {
                tracing::warn!(%error, "the keys that sign access tokens cannot be read; those of before are used");
                Ok(due.keyring)
            }
            read => read,
        }
    }

    /// Reads the keys, or returns the result of a read that began after `asked_at`.
    async fn read_keyring(&self, lookup: &mut KeyLookup, asked_at: Instant) -> Result<Arc<Keyring>, InternalError> {
        if lookup.failed_at.is_some_and(|begun_at| begun_at >= asked_at) {
            return Err(InternalError::KeysUnread);
        }
        if lookup.is_answered(asked_at) {
            return Ok(self.loaded_keyring().keyring);
        }
        let begun_at = Instant::now();
        let loaded = self.load_keyring(self.clock().now()).await;
        *if loaded.is_ok() { &mut lookup.read_at } else { &mut lookup.failed_at } = Some(begun_at);
        loaded
    }

    /// Reloads the keyring after its keys have changed.
    pub(in crate::operations) async fn reload_keyring(&self) -> Result<Arc<Keyring>, InternalError> {
        // A read in progress may miss the change, so it must not finish after this one.
        let mut lookup = self.key_lookup().lock().await;
        self.read_keyring(&mut lookup, Instant::now()).await
    }

    /// Loads the keys. If none of the algorithm signs, the next published one does from now on; if there is none, one is
    /// created.
    async fn load_keyring(&self, now: Timestamp) -> Result<Arc<Keyring>, InternalError> {
        let algorithm = self.config().tokens.signing_algorithm;
        let mut stored = store::signing_keys::list(self.db().read().await?.conn()).await?;
        if algorithm != SigningAlgorithm::Hs256 && signing(&stored, algorithm, now).is_none() {
            if let Some(next) = stored.iter().find(|key| key.algorithm == algorithm && key.retired_at.is_none()) {
                let mut change = self.change(Changed::Nothing).await?;
                store::signing_keys::activate(change.conn(), &next.kid, now).await?;
                change.commit().await?;
                stored = store::signing_keys::list(self.db().read().await?.conn()).await?;
            }
            // There is none yet, or all have been withdrawn.
            if signing(&stored, algorithm, now).is_none() {
                self.add_signing_key(algorithm, now, now).await?;
                stored = store::signing_keys::list(self.db().read().await?.conn()).await?;
            }
        }
        let config = self.config();
        let mut keys: Vec<TokenKey> =
            config.secret_keys().iter().map(|key| TokenKey::of_secret(key, &config.tokens)).collect();
        let signing_kid = match signing(&stored, algorithm, now) {
            Some(stored) => stored.kid.clone(),
            None => keys[0].kid().to_owned(),
        };
        for key in
            described(&stored, config.session.access_token_ttl, now).into_iter().filter(|key| key.state.verifies())
        {
            let stored = stored.iter().find(|stored| stored.kid == key.kid);
            match stored.map(|stored| sealing::open(config.secret_keys(), &stored.kid, &stored.sealed)) {
                Some(Ok(der)) => keys.extend(TokenKey::of_der(&key.kid, key.algorithm, &der, &config.tokens)),
                Some(Err(reason)) => tracing::error!(kid = key.kid, %reason, "a signing key cannot be used"),
                None => {}
            }
        }
        let keyring = Keyring::new(&config.tokens, keys, &signing_kid, config.session.cache_max)
            .ok_or(InternalError::SigningKey)?;
        Ok(self.set_keyring(keyring, now))
    }

    pub(in crate::operations) async fn add_signing_key(
        &self,
        algorithm: SigningAlgorithm,
        now: Timestamp,
        active_from: Timestamp,
    ) -> Result<String, DbError> {
        let kid = secrets::random_uuid_v7(now).simple().to_string();
        let secret = &self.config().secret_keys()[0];
        let sealed = sealing::seal(secret, &kid, &generate_der(algorithm));
        let key = StoredKey { kid, algorithm, sealed, created_at: now, active_from, retired_at: None };
        let mut change = self.change(Changed::Nothing).await?;
        store::signing_keys::insert(change.conn(), &key).await?;
        change.commit().await?;
        Ok(key.kid)
    }

    /// Encrypts every key under the current `SECRET_KEY`, and returns how many were under another.
    pub(in crate::operations) async fn reseal(&self) -> Result<usize, InternalError> {
        let keys = self.config().secret_keys();
        let mut change = self.change(Changed::Nothing).await?;
        let mut resealed = 0;
        for stored in store::signing_keys::list(change.conn()).await? {
            if stored.sealed.by == key_id(&keys[0]) {
                continue;
            }
            let der = sealing::open(keys, &stored.kid, &stored.sealed).map_err(|reason| {
                tracing::error!(kid = stored.kid, %reason, "a signing key cannot be opened");
                InternalError::SigningKey
            })?;
            let after = sealing::seal(&keys[0], &stored.kid, &der);
            store::signing_keys::reseal(change.conn(), &stored.kid, &stored.sealed, &after).await?;
            resealed += 1;
        }
        change.commit().await?;
        Ok(resealed)
    }
}

fn is_older(instant: Option<Timestamp>, age: SignedDuration, now: Timestamp) -> bool {
    instant.is_none_or(|instant| now.duration_since(instant).abs() >= age)
}

/// Returns the active key that became active last; `stored` is in that order.
fn signing(stored: &[StoredKey], algorithm: SigningAlgorithm, now: Timestamp) -> Option<&StoredKey> {
    let active = |key: &&StoredKey| key.retired_at.is_none() && key.algorithm == algorithm && key.active_from <= now;
    stored.iter().rev().find(active)
}

/// Describes the state of each key. A superseded key verifies until the last token that it may have signed has expired.
pub(in crate::operations) fn described(
    stored: &[StoredKey],
    token_ttl: SignedDuration,
    now: Timestamp,
) -> Vec<SigningKey> {
    let in_use: Vec<&StoredKey> = stored.iter().filter(|key| key.retired_at.is_none()).collect();
    let state = |key: &StoredKey| {
        if key.retired_at.is_some() {
            return SigningKeyState::Retired;
        }
        if key.active_from > now {
            return SigningKeyState::Published;
        }
        let successor = in_use.iter().find(|other| {
            (other.active_from, &other.kid) > (key.active_from, &key.kid)
                && other.active_from <= now
                && other.algorithm == key.algorithm
        });
        match successor {
            None => SigningKeyState::Signing,
            // An instance signs with the old key until it reloads.
            Some(successor) if now.duration_since(successor.active_from) <= token_ttl + RELOAD_EVERY + RELOAD_EVERY => {
                SigningKeyState::Superseded
            }
            Some(_) => SigningKeyState::Expired,
        }
    };
    stored
        .iter()
        .map(|key| SigningKey {
            kid: key.kid.clone(),
            algorithm: key.algorithm,
            created_at: key.created_at,
            active_from: key.active_from,
            state: state(key),
        })
        .collect()
}
