//! What follows when the address of an account has become another: the reader of the old one can take it back, and nothing
//! of the old time goes on.

use countersign_db::DbError;

use super::change::Change;
use super::enqueue_mail::{Cause, TokenMail};
use super::record_event::Happened;
use super::voids::Act;
use crate::model::{ClientInfo, Contact, EventKind, SessionId, TokenPurpose, UserId, Verification};

/// Whether the reader of the new address has confirmed it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::operations) enum NewAddress {
    Proven,
    Unproven,
}

impl Change<'_> {
    /// Voids what a change of address voids, records it, and mails the old address its way back.
    pub(in crate::operations) async fn follow_change_of_address(
        &mut self,
        user: UserId,
        before: &Contact,
        new: NewAddress,
        present: Option<SessionId>,
        client: &ClientInfo,
    ) -> Result<(), DbError> {
        let (act, purpose) = match new {
            NewAddress::Proven => (Act::AddressChanged, TokenPurpose::UndoEmailChange),
            NewAddress::Unproven => (Act::AddressSet, TokenPurpose::UndoUnprovenChange),
        };
        self.void(act, user, present).await?;
        self.record(Happened::by_owner(EventKind::EmailChanged, user, present), client).await?;
        // An address that nobody has proven may be a stranger's, so mails to it are counted, and this one may be one too many.
        let cause = match before.verification {
            Verification::Verified => Cause::Reader,
            Verification::Unverified => Cause::Account,
        };
        let language = before.language.clone().unwrap_or_else(|| self.accounts.language_of(client));
        let mail =
            TokenMail { purpose, cause, client, user: Some(user), session: None, address: &before.email, language };
        self.enqueue_token_mail(mail).await?;
        Ok(())
    }
}
