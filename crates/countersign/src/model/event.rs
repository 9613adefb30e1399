//! Decides which events concern an account's safety.

use jiff::Timestamp;

use super::{EventId, UserId};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A refresh token was presented that had been exchanged before; its session was ended.
    RefreshTokenReused,
    /// A login from a device that was not seen before.
    NewSignIn,
    /// The password became another.
    PasswordChanged,
    /// The e-mail address became another.
    EmailChanged,
}

impl EventKind {
    const ALL: [Self; 4] = [Self::RefreshTokenReused, Self::NewSignIn, Self::PasswordChanged, Self::EmailChanged];

    /// Its name in the database and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::NewSignIn => "new_sign_in",
            Self::PasswordChanged => "password_changed",
            Self::EmailChanged => "email_changed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// An event as it is kept.
pub(crate) struct SecurityEvent {
    pub(crate) id: EventId,
    pub(crate) user: UserId,
    pub(crate) kind: EventKind,
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) happened_at: Timestamp,
}
