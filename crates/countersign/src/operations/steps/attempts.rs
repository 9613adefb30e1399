//! Attempt counting: an attempt is counted as failed before anything is compared, so that concurrent guesses all count,
//! and in the same way whether or not the user exists. Success refunds it.

use countersign_db::{Conn, DbError};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::accounts::Accounts;
use crate::config::{FAILURE_DECAY, WAIT_MAX};
use crate::error::{InternalError, from_db_error};
use crate::limits::{Limit, Taken, TooManyAttempts};
use crate::model::{ClientInfo, Horizon, UserId, Username, later};
use crate::secrets::attempt_key::{AttemptKey, Counted};
use crate::secrets::device_cookie::KnownDevice;
use crate::session_cache::Changed;
use crate::store;

/// Why no mail was enqueued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestMailError {
    /// Too many mails requested by this network or sent to this address.
    #[error(transparent)]
    TooMany(#[from] TooManyAttempts),
    /// An internal error.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

from_db_error!(RequestMailError);

/// A reserved failure. `refund_attempt` cancels it.
pub(in crate::operations) struct Attempt {
    /// `None` if limits are off.
    key: Option<AttemptKey>,
}

impl Accounts {
    /// Counts an attempt for the client's network.
    pub(in crate::operations) fn take(&self, limit: Limit, client: &ClientInfo) -> Result<Taken, TooManyAttempts> {
        let taken = self.limiter().take(limit, client.network(), self.clock().now());
        taken.inspect_err(|limited| self.count_refusal(limited))
    }

    fn count_refusal(&self, limited: &TooManyAttempts) {
        self.event_counts().refusals.add(limited.policy);
    }

    /// Returns the devices of the client's genuine cookies. The caller checks which one belongs to the user.
    pub(in crate::operations) fn devices_of(&self, client: &ClientInfo) -> Vec<KnownDevice> {
        let now = self.clock().now();
        client.device_cookies.iter().filter_map(|cookie| self.keys().read_device_cookie(cookie, now)).collect()
    }

    /// Whether this is the genuine device cookie of any user.
    pub(crate) fn is_device_cookie(&self, cookie: &SecretString) -> bool {
        self.keys().read_device_cookie(cookie, self.clock().now()).is_some()
    }

    /// Counts an attempt as failed before it is made.
    pub(in crate::operations) async fn reserve_attempt<E>(&self, counted: &Counted<'_>) -> Result<Attempt, E>
    where
        E: From<DbError> + From<TooManyAttempts>,
    {
        let Some(policy) = &self.config().limits else {
            return Ok(Attempt { key: None });
        };
        let key = self.keys().attempt_key(counted);
        let now = self.clock().now();
        let horizon = Horizon::new(now, WAIT_MAX);
        let limited = |next_at: Option<Timestamp>| {
            let wait = next_at.map(|next_at| next_at.duration_since(now)).unwrap_or_default();
            let limited = policy.account_limited(wait);
            self.count_refusal(&limited);
            limited
        };
        // Most limited clients are refused here, without waiting for a write.
        let next_at = store::attempts::find_next_at(self.db().read().await?.conn(), &key, horizon).await?;
        if next_at.is_some_and(|next_at| next_at > now) {
            return Err(limited(next_at).into());
        }
        let mut change = self.change(Changed::Nothing).await?;
        let Some(failures) = store::attempts::reserve(change.conn(), &key, FAILURE_DECAY, horizon).await? else {
            return Err(limited(store::attempts::find_next_at(change.conn(), &key, horizon).await?).into());
        };
        let wait = policy.wait(failures);
        if !wait.is_zero() {
            let next_at = later(now, wait);
            store::attempts::hold_back(change.conn(), &key, next_at).await?;
        }
        change.commit().await?;
        Ok(Attempt { key: Some(key) })
    }

    /// Refunds an attempt in the transaction of the operation that it was for.
    pub(in crate::operations) async fn refund_attempt(&self, conn: Conn<'_>, attempt: &Attempt) -> Result<(), DbError> {
        match &attempt.key {
            Some(key) => store::attempts::refund(conn, key).await,
            None => Ok(()),
        }
    }

    /// Like `refund_attempt`, but in its own transaction, for an attempt that was not made or changed nothing else.
    async fn refund_attempt_alone(&self, attempt: &Attempt) -> Result<(), DbError> {
        if attempt.key.is_none() {
            return Ok(());
        }
        let mut change = self.change(Changed::Nothing).await?;
        self.refund_attempt(change.conn(), attempt).await?;
        change.commit().await
    }

    /// Refunds an attempt if its operation failed with an error that does not count as a wrong guess.
    pub(in crate::operations) async fn settle_attempt<T, E: From<DbError>>(
        &self,
        attempt: &Attempt,
        done: Result<T, E>,
        is_refundable: fn(&E) -> bool,
    ) -> Result<T, E> {
        if done.as_ref().is_err_and(is_refundable) {
            self.refund_attempt_alone(attempt).await?;
        }
        done
    }

    /// Deletes an attempt and all before it.
    pub(in crate::operations) async fn forget_attempts(
        &self,
        conn: Conn<'_>,
        attempt: &Attempt,
    ) -> Result<(), DbError> {
        match &attempt.key {
            Some(key) => store::attempts::delete(conn, key).await,
            None => Ok(()),
        }
    }

    /// Clears failed attempts of strangers on a user's identifiers, because the password has changed. Those of known
    /// devices expire anyway.
    pub(in crate::operations) async fn clear_stranger_attempts(
        &self,
        mut conn: Conn<'_>,
        user: UserId,
    ) -> Result<(), DbError> {
        let Some(contact) = store::users::find_contact(conn.reborrow(), user).await? else {
            return Ok(());
        };
        let keys = self.keys();
        store::attempts::delete(conn.reborrow(), &keys.attempt_key(&Counted::Address(&contact.email))).await?;
        match Username::parse(&contact.username) {
            Ok(username) => store::attempts::delete(conn, &keys.attempt_key(&Counted::Username(&username))).await,
            Err(_) => Ok(()),
        }
    }

    /// Counts a mail to an address. Returns how long to wait if it exceeds the limit.
    pub(super) async fn count_mail(
        &self,
        mut conn: Conn<'_>,
        counted: &Counted<'_>,
        now: Timestamp,
    ) -> Result<Option<TooManyAttempts>, DbError> {
        let Some(policy) = &self.config().limits else {
            return Ok(None);
        };
        let rate = policy.mail_to_address;
        let horizon = Horizon::new(now, rate.period());
        let key = self.keys().attempt_key(counted);
        if store::attempts::count(conn.reborrow(), &key, rate.interval(), rate.slack(), horizon).await? {
            return Ok(None);
        }
        let full_at = store::attempts::find_next_at(conn, &key, horizon).await?.unwrap_or(now);
        let limited = TooManyAttempts::of_rate("mail-address", rate, full_at.duration_since(now) - rate.slack());
        self.count_refusal(&limited);
        Ok(Some(limited))
    }
}
