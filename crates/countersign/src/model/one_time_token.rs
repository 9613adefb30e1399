//! What can be proven by a secret that came by mail.

use jiff::Timestamp;

use super::{EmailAddress, Language, SessionId, UserId};

crate::entity_id! {
    /// Which one-time token.
    pub OneTimeTokenId
}

/// What a one-time token is good for; one made for one purpose is nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenPurpose {
    /// Show that a user's address is read by them.
    VerifyEmail,
    /// Show the same of an address that shall become a user's.
    CompleteRegistration,
    /// Choose a new password.
    ResetPassword,
    /// Make another address the user's.
    ConfirmEmailChange,
    /// Make the former address the user's again, after a change to one that was confirmed.
    UndoEmailChange,
    /// The same after a change to one that was not: its reader may be the account's owner, and the former one a stranger.
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

    /// Its name in the database.
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

    /// Whether it brings a former address back.
    pub(crate) fn undoes(self) -> bool {
        matches!(self, Self::UndoEmailChange | Self::UndoUnprovenChange)
    }

    /// Whether only the newest of a user counts.
    pub(crate) fn is_superseded(self) -> bool {
        !self.undoes() && self != Self::CompleteRegistration
    }
}

/// A one-time token as it is kept: all but the secret itself.
pub(crate) struct OneTimeToken {
    pub(crate) id: OneTimeTokenId,
    pub(crate) purpose: TokenPurpose,
    /// `None` when nobody has the address, or nobody yet.
    pub(crate) user: Option<UserId>,
    /// The session that asked for it.
    pub(crate) session: Option<SessionId>,
    /// Where it is sent.
    pub(crate) address: EmailAddress,
    pub(crate) language: Language,
    pub(crate) salt: Vec<u8>,
    /// SHA-256 of the secret, in hexadecimal digits.
    pub(crate) hash: String,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}
