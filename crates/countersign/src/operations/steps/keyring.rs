//! Which keys sign and verify at the moment, and when the database is asked for new ones.

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

/// So soon a key that another instance has made or withdrawn is noticed, where keys are kept in the database.
const RELOAD_EVERY: SignedDuration = SignedDuration::from_secs(5);
/// One request reads them, and the others go on with those that there are until these are so old. Then all wait.
const TRUSTED_MAX: SignedDuration = SignedDuration::from_secs(35);
/// When a token names a key that is not known, they are read at once, but no more often than this.
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
        Ok(self.keyring(now).await?.sign(bearer, methods, now, expires_at)?)
    }

    /// What an access token says, if it is believed.
    pub(in crate::operations) async fn believe(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Bearer>, InternalError> {
        let mut verdict = self.keyring(now).await?.verify(token, now);
        if verdict == Verdict::UnknownKey {
            verdict = Box::pin(self.look_for_key(token, now)).await?;
        }
        Ok(match verdict {
            Verdict::Believed(bearer) => Some(bearer),
            Verdict::Refused | Verdict::UnknownKey => None,
        })
    }

    /// What a token says whose key may be a new one of another instance. The keys are read, once for everybody who asks
    /// meanwhile. Whoever sends made-up tokens has the database asked once a second and keeps nobody else waiting longer.
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

    /// The keys, fresh enough. HS256 needs none from the database, except to believe what another algorithm has signed.
    pub(crate) async fn keyring(&self, now: Timestamp) -> Result<Arc<Keyring>, InternalError> {
        let loaded = self.loaded_keyring();
        let needs_none =
            self.config().tokens.signing_algorithm == SigningAlgorithm::Hs256 && !loaded.keyring.has_stored_keys();
        if needs_none || !is_older(loaded.loaded_at, RELOAD_EVERY, now) {
            return Ok(loaded.keyring);
        }
        // Boxed, as everything that few requests do: axum moves what a handler may have to keep to the heap each time.
        Box::pin(self.renew_keyring(loaded, now)).await
    }

    /// The keys in the place of those that are due to be read again. A withdrawn one is believed no longer than
    /// [`TRUSTED_MAX`], however slow the database is.
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

    /// Reads the keys, unless somebody has begun to after `asked_at`: then it is what that came to.
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

    /// Reads the keys after something was done to them.
    pub(in crate::operations) async fn reload_keyring(&self) -> Result<Arc<Keyring>, InternalError> {
        // A reading that is under way may not know of it: it must not come to its end after this one.
        let mut lookup = self.key_lookup().lock().await;
        self.read_keyring(&mut lookup, Instant::now()).await
    }

    /// Reads the keys anew, and makes one if the algorithm has none yet.
    async fn load_keyring(&self, now: Timestamp) -> Result<Arc<Keyring>, InternalError> {
        let algorithm = self.config().tokens.signing_algorithm;
        let mut stored = store::signing_keys::list(self.db().read().await?.conn()).await?;
        if algorithm != SigningAlgorithm::Hs256 && signing(&stored, algorithm, now).is_none() {
            self.add_signing_key(algorithm, now, now).await?;
            stored = store::signing_keys::list(self.db().read().await?.conn()).await?;
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

    /// Seals every key under the present `SECRET_KEY`; how many were under another.
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

/// Of the keys in use, the one that became active last; the list is in this order.
fn signing(stored: &[StoredKey], algorithm: SigningAlgorithm, now: Timestamp) -> Option<&StoredKey> {
    let active = |key: &&StoredKey| key.retired_at.is_none() && key.algorithm == algorithm && key.active_from <= now;
    stored.iter().rev().find(active)
}

/// What every key is good for. One verifies until the last token that it can have signed has expired.
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
            // An instance goes on signing until it has read the keys again.
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
