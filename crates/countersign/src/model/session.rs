//! A session: what stands behind a login until it ends.

use jiff::Timestamp;

use super::{Methods, User};

crate::entity_id! {
    /// A session's id: what an access token's `sid` claim names.
    pub SessionId
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
