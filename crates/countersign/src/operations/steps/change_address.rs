//! Decides what follows when the address of an account has become another: whoever reads the old one hears of it and can
//! take it back, and no other session and no reset of the old time goes on.

use countersign_db::{Conn, DbError};
use jiff::Timestamp;

use super::promise::Secret;
use crate::accounts::Accounts;
use crate::model::{ClientInfo, EmailAddress, EventId, EventKind, SessionId, TokenPurpose, UserId};
use crate::store;

impl Accounts {
    /// To be called in the transaction of the change; the caller notes it for the session cache.
    pub(in crate::operations) async fn follow_change_of_address(
        &self,
        mut conn: Conn<'_>,
        user: UserId,
        old: &EmailAddress,
        kept: Option<SessionId>,
        client: &ClientInfo,
        now: Timestamp,
    ) -> Result<(), DbError> {
        store::sessions::delete_others(conn.reborrow(), user, kept).await?;
        for purpose in [TokenPurpose::ResetPassword, TokenPurpose::ConfirmEmailChange] {
            store::one_time_tokens::delete_of_user(conn.reborrow(), user, purpose).await?;
        }
        let event = EventId::new(now);
        self.note_event(conn.reborrow(), event, user, EventKind::EmailChanged, client, now).await?;
        let contact = store::users::find_contact(conn.reborrow(), user).await?;
        let language = contact.and_then(|contact| contact.language).unwrap_or_else(|| self.language_of(client));
        let undo =
            Secret { purpose: TokenPurpose::UndoEmailChange, user: Some(user), session: None, address: old, language };
        self.promise_secret(conn, undo, now).await?;
        Ok(())
    }
}
