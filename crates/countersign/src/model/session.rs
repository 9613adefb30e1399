//! A session: what stands behind a login until it ends.

use jiff::Timestamp;

use super::{Methods, User};

crate::entity_id! {
    /// A session's id: what an access token's `sid` claim names.
    pub SessionId
}

/// How long a login is meant to last, as its user says when they log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stay {
    /// As long as sessions last: on a device of the user's own.
    #[default]
    Kept,
    /// While the browser is open, and some hours at the most: on a device that others use, too.
    Brief,
}

impl Stay {
    /// Its name in the database and in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Brief => "brief",
        }
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Kept, Self::Brief].into_iter().find(|stay| stay.as_str() == name)
    }
}

/// A session as its user sees it in a list.
#[derive(Clone, Debug)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to within a few minutes.
    pub last_seen_at: Timestamp,
    /// When it ends unless it is used before.
    pub expires_at: Timestamp,
    /// The address it was begun or last refreshed from.
    pub address: Option<String>,
    /// What the browser or program calls itself.
    pub user_agent: Option<String>,
}

/// Somebody who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated {
    /// Who.
    pub user: User,
    /// By which session.
    pub session: SessionId,
    /// When they last proved who they are, as far as what they present can tell: an access token of before counts for that time.
    pub authenticated_at: Timestamp,
    /// How they did.
    pub methods: Methods,
}

/// A session that has not ended, with all that depends on it.
#[derive(Clone, Debug)]
pub(crate) struct LiveSession {
    pub(crate) authenticated: Authenticated,
    pub(crate) salt: Vec<u8>,
    pub(crate) refresh_counter: u64,
    pub(crate) stay: Stay,
    /// When it ends, whatever happens.
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
