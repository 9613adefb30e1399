//! Sessions: their lifetimes, those of their tokens, and the size of the session cache.

use jiff::SignedDuration;

use crate::model::Stay;

/// What a host configures about sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPolicy {
    /// Lifetime of access tokens.
    pub access_token_ttl: SignedDuration,
    /// Maximum age of a session, however often it is used.
    pub ttl: SignedDuration,
    /// How long an unused session lasts.
    pub idle_ttl: SignedDuration,
    /// Maximum age of a session whose user chose not to stay logged in ([`Stay::Brief`]): closing a browser that restores its tabs
    /// does not end it.
    pub brief_ttl: SignedDuration,
    /// How long an exchanged refresh token is still accepted, for lost responses and second tabs; after that, sending it ends its
    /// session.
    pub refresh_replay_window: SignedDuration,
    /// How long a login counts as recent, from when the password was entered.
    pub reauthentication_ttl: SignedDuration,
    /// Maximum number of sessions cached in memory, whose requests need no database; 0 turns the cache off.
    pub cache_max: usize,
}

impl Default for SessionPolicy {
    /// 90 days, or 14 days without use, or 12 hours on a shared device; half an hour for access tokens and recent logins.
    fn default() -> Self {
        Self {
            access_token_ttl: SignedDuration::from_mins(30),
            ttl: SignedDuration::from_hours(90 * 24),
            idle_ttl: SignedDuration::from_hours(14 * 24),
            brief_ttl: SignedDuration::from_hours(12),
            refresh_replay_window: SignedDuration::from_secs(30),
            reauthentication_ttl: SignedDuration::from_mins(30),
            cache_max: 20_000,
        }
    }
}

impl SessionPolicy {
    /// Returns the maximum age of a session, however often it is used.
    pub(crate) fn life(&self, stay: Stay) -> SignedDuration {
        match stay {
            Stay::Kept => self.ttl,
            Stay::Brief => self.ttl.min(self.brief_ttl),
        }
    }
}
