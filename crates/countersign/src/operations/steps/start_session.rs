//! The start of every session: for a user, by the methods they proved, under a condition on the user's row that is
//! checked and locked in the same transaction. No other code inserts a session, so none can omit the condition.

use countersign_db::DbError;

use super::change::Change;
use super::issue_tokens::Issue;
use super::record_event::NewEvent;
use crate::model::{ClientInfo, EmailAddress, EventKind, Methods, SessionId, Stay, UserId, Username, later};
use crate::secrets;
use crate::store;
use crate::store::sessions::NewSession;
use crate::store::users::LoginCondition;

/// A session to start.
pub(in crate::operations) struct StartSession<'s> {
    pub(in crate::operations) user: UserId,
    /// How the user authenticated.
    pub(in crate::operations) methods: Methods,
    pub(in crate::operations) stay: Stay,
    /// The stored hash that the password was compared with; it must still be the user's.
    pub(in crate::operations) password_hash: &'s str,
    /// A new hash of the same password to store in its place.
    pub(in crate::operations) upgrade: Option<&'s str>,
    /// The identifier that the user was found by; it must still be theirs.
    pub(in crate::operations) found_by: MatchedBy<'s>,
    pub(in crate::operations) client: &'s ClientInfo,
}

/// How the user was found.
#[derive(Clone, Copy)]
pub(in crate::operations) enum MatchedBy<'f> {
    Email(&'f EmailAddress),
    Username(&'f Username),
    /// By no identifier, for example by an existing session.
    Nothing,
}

impl Change<'_> {
    /// Starts a session, or returns `None` if the condition no longer holds. It must be the first access of the
    /// transaction to the user's rows.
    pub(in crate::operations) async fn start_session(
        &mut self,
        start: &StartSession<'_>,
    ) -> Result<Option<Issue>, DbError> {
        let (now, config) = (self.now(), self.accounts.config());
        let (email, username) = match start.found_by {
            MatchedBy::Email(email) => (Some(email), None),
            MatchedBy::Username(username) => (None, Some(username)),
            MatchedBy::Nothing => (None, None),
        };
        let condition = LoginCondition { password_hash: start.password_hash, email, username };
        if !store::users::note_login(self.conn(), start.user, &condition, start.upgrade, now).await? {
            return Ok(None);
        }
        let salt = secrets::bytes::<32>();
        let session = NewSession {
            id: SessionId::new(now),
            user: start.user,
            methods: start.methods,
            stay: start.stay,
            salt: &salt,
            client: start.client,
            now,
            expires_at: later(now, config.session.life(start.stay)),
            idle_expires_at: self.accounts.idle_end(now),
        };
        store::sessions::make_room(self.conn(), start.user, now).await?;
        store::sessions::insert(self.conn(), &session).await?;
        let begun = NewEvent::by_owner(EventKind::SessionBegun, start.user, Some(session.id));
        self.record(begun, start.client).await?;
        Ok(Some(Issue {
            user: start.user,
            session: session.id,
            expires_at: session.expires_at,
            authenticated_at: now,
            methods: start.methods,
            stay: start.stay,
            refresh_counter: 0,
            salt: salt.to_vec(),
        }))
    }

    /// Replaces the cookie and refresh token of a session whose user has proven their identity again. Returns `None` if
    /// it has ended.
    pub(in crate::operations) async fn renew_session(
        &mut self,
        user: UserId,
        session: SessionId,
    ) -> Result<Option<Issue>, DbError> {
        let (now, salt) = (self.now(), secrets::bytes::<32>());
        let renewed = store::sessions::renew(self.conn(), session, user, &salt, now).await?;
        Ok(renewed.map(|renewed| Issue {
            user,
            session,
            expires_at: renewed.expires_at,
            authenticated_at: now,
            methods: renewed.methods,
            stay: renewed.stay,
            refresh_counter: renewed.refresh_counter,
            salt: salt.to_vec(),
        }))
    }
}
