//! Decides what a session is when it begins.

use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::model::{ClientInfo, SessionId, UserId};
use crate::store::sessions::NewSession;

impl Accounts {
    /// A session that begins now, to be written.
    pub(in crate::operations) fn new_session<'s>(
        &self,
        user: UserId,
        salt: &'s [u8],
        client: &'s ClientInfo,
        now: Timestamp,
    ) -> NewSession<'s> {
        NewSession {
            id: SessionId::new(now),
            user,
            salt,
            client,
            now,
            expires_at: now.saturating_add(self.config().session_ttl).unwrap_or(Timestamp::MAX),
            idle_expires_at: self.idle_end(now),
        }
    }
}
