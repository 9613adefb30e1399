//! Sessions: how long they last, how long their tokens are valid, and how many are kept in memory.

use jiff::SignedDuration;

use crate::model::Stay;

/// What a host chooses about sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// How long an access token is valid.
    pub access_token_ttl: SignedDuration,
    /// How long a session lasts at the most, however much it is used.
    pub ttl: SignedDuration,
    /// How long a session lasts that is not used.
    pub idle_ttl: SignedDuration,
    /// How long a session lasts at the most whose user did not want to be kept logged in ([`Stay::Brief`]): browsers that
    /// open again with what was open before do not end it.
    pub brief_ttl: SignedDuration,
    /// How long a refresh token may be presented again after it was exchanged, for the sake of lost answers and second
    /// tabs; later it ends its session.
    pub refresh_replay_window: SignedDuration,
    /// How long after the password was given acts that need a recent login are allowed.
    pub reauthentication_ttl: SignedDuration,
    /// How many sessions are kept in memory, so that their requests need no database; 0 keeps none.
    pub cache_max: usize,
}

impl Default for SessionPolicy {
    /// 90 days, or 14 days without use, or 12 hours on a device that others use; access tokens and recent logins of half an hour.
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
    /// How long a session lasts at the most, however much it is used.
    pub(crate) fn life(&self, stay: Stay) -> SignedDuration {
        match stay {
            Stay::Kept => self.ttl,
            Stay::Brief => self.ttl.min(self.brief_ttl),
        }
    }
}
