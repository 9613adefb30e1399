//! Consequences of an address change: the reader of the old address can undo it, and old secrets are void.

use countersign_db::DbError;

use super::change::Change;
use super::enqueue_mail::{Cause, TokenMail};
use super::record_event::NewEvent;
use super::voids::Act;
use crate::model::{ClientInfo, Contact, EventKind, SessionId, TokenPurpose, UserId, Verification};

/// Whether the reader of the new address has confirmed it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::operations) enum NewAddress {
    Proven,
    Unproven,
}

impl Change<'_> {
    /// Voids what the change voids, records it, and mails an undo link to the old address.
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
        self.record(NewEvent::by_owner(EventKind::EmailChanged, user, present), client).await?;
        // An unverified address may be a stranger's, so mails to it are counted, and this one may exceed the limit.
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
