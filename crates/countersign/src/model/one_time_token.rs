//! One-time tokens: secrets sent by mail, each for one purpose.

use jiff::Timestamp;

use super::{EmailAddress, Language, SessionId, UserId};

crate::entity_id! {
    /// The id of a one-time token.
    pub OneTimeTokenId
}

/// What a one-time token is for. It is not valid for any other purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenPurpose {
    /// Verify the address of a user.
    VerifyEmail,
    /// Verify an address and create the account that waits for it.
    CompleteRegistration,
    /// Set a new password.
    ResetPassword,
    /// Change the user's address to this one.
    ConfirmEmailChange,
    /// Restore the former address after a change to a confirmed one.
    UndoEmailChange,
    /// Restore the former address after a change to an unconfirmed one: the reader of the new address may be the owner,
    /// and the reader of the former one a stranger.
    UndoUnprovenChange,
}

impl TokenPurpose {
    pub(crate) const ALL: [Self; 6] = [
        Self::VerifyEmail,
        Self::CompleteRegistration,
        Self::ResetPassword,
        Self::ConfirmEmailChange,
        Self::UndoEmailChange,
        Self::UndoUnprovenChange,
    ];

    /// Returns the name in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::CompleteRegistration => "complete_registration",
            Self::ResetPassword => "reset_password",
            Self::ConfirmEmailChange => "confirm_email_change",
            Self::UndoEmailChange => "undo_email_change",
            Self::UndoUnprovenChange => "undo_unproven_change",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }

    /// Whether it restores a former address.
    pub(crate) fn undoes(self) -> bool {
        matches!(self, Self::UndoEmailChange | Self::UndoUnprovenChange)
    }

    /// Whether only the newest one of a user is valid.
    pub(crate) fn is_superseded(self) -> bool {
        !self.undoes() && self != Self::CompleteRegistration
    }
}

/// A stored one-time token: everything but the secret itself.
pub(crate) struct OneTimeToken {
    pub(crate) id: OneTimeTokenId,
    pub(crate) purpose: TokenPurpose,
    /// `None` if no user has the address, or none yet.
    pub(crate) user: Option<UserId>,
    /// The session that requested it.
    pub(crate) session: Option<SessionId>,
    /// The address that it is sent to.
    pub(crate) address: EmailAddress,
    pub(crate) language: Language,
    pub(crate) salt: Vec<u8>,
    /// SHA-256 of the secret, in hexadecimal digits.
    pub(crate) hash: String,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}
