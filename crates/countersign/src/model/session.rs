//! A session, from login to its end.

use jiff::Timestamp;

use super::{Methods, User};

crate::entity_id! {
    /// The id of a session: the `sid` claim of access tokens.
    pub SessionId
}

/// How long a login should last, as the user chooses when logging in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stay {
    /// For the normal session lifetime, on the user's own device.
    #[default]
    Kept,
    /// While the browser is open, and at most a few hours: on a shared device.
    Brief,
}

impl Stay {
    /// Returns the name in the database and in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Brief => "brief",
        }
    }

    /// Returns the value of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Kept, Self::Brief].into_iter().find(|stay| stay.as_str() == name)
    }
}

/// A session in the list that its user sees.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// When it started.
    pub created_at: Timestamp,
    /// When it was last used, to within a few minutes.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is used before.
    pub expires_at: Timestamp,
    /// The address that it was started or last refreshed from.
    pub address: Option<String>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
}

/// A logged-in user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Authenticated {
    /// The user.
    pub user: User,
    /// The session.
    pub session: SessionId,
    /// When the user last authenticated, as far as the presented secret proves it: an older access token keeps its
    /// earlier time.
    pub authenticated_at: Timestamp,
    /// The methods of that authentication.
    pub methods: Methods,
}

/// A session that has not ended, with everything that depends on it.
#[derive(Clone, Debug)]
pub(crate) struct LiveSession {
    pub(crate) authenticated: Authenticated,
    pub(crate) salt: Vec<u8>,
    pub(crate) refresh_counter: u64,
    pub(crate) stay: Stay,
    /// The absolute end.
    pub(crate) expires_at: Timestamp,
    /// When it ends unless it is used.
    pub(crate) idle_expires_at: Timestamp,
    pub(crate) last_seen_at: Timestamp,
}

impl LiveSession {
    /// Whether the session is alive at `now`.
    pub(crate) fn lives_at(&self, now: Timestamp) -> bool {
        now < self.expires_at && now < self.idle_expires_at
    }
}
