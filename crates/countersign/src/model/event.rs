//! Events: what happened to an account, by whom, with what outcome and from where.

use jiff::Timestamp;

use super::{EventId, SessionId, UserId};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The account came to be.
    Registered,
    /// The reader of the account's e-mail address confirmed it.
    EmailVerified,
    /// A session began: a login, or the password once more.
    SessionBegun,
    /// A session was ended: logged out, or ended from another one.
    SessionEnded,
    /// All sessions but the present one were ended.
    OtherSessionsEnded,
    /// A refresh token was presented that had been exchanged before; its session was ended.
    RefreshTokenReused,
    /// A login from a device that was not seen before.
    NewSignIn,
    /// The password was changed by its owner.
    PasswordChanged,
    /// A new password was chosen by the reader of a mail.
    PasswordReset,
    /// The username became another.
    UsernameChanged,
    /// The e-mail address became another.
    EmailChanged,
    /// The reader of the former e-mail address took a change of it back.
    EmailChangeUndone,
    /// The account was deleted.
    AccountDeleted,
}

impl EventKind {
    /// As many as there are: one more does not compile before it stands here.
    const ALL: [Self; Self::AccountDeleted as usize + 1] = [
        Self::Registered,
        Self::EmailVerified,
        Self::SessionBegun,
        Self::SessionEnded,
        Self::OtherSessionsEnded,
        Self::RefreshTokenReused,
        Self::NewSignIn,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::UsernameChanged,
        Self::EmailChanged,
        Self::EmailChangeUndone,
        Self::AccountDeleted,
    ];

    /// Its name in the database and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::EmailVerified => "email_verified",
            Self::SessionBegun => "session_begun",
            Self::SessionEnded => "session_ended",
            Self::OtherSessionsEnded => "other_sessions_ended",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::NewSignIn => "new_sign_in",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::UsernameChanged => "username_changed",
            Self::EmailChanged => "email_changed",
            Self::EmailChangeUndone => "email_change_undone",
            Self::AccountDeleted => "account_deleted",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether what was tried came about.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::RefreshTokenReused => Outcome::Failure,
            _ => Outcome::Success,
        }
    }
}

/// Whether what was tried came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did.
    Success,
    /// It was refused.
    Failure,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Actor {
    /// A user.
    User(UserId),
    /// The accounts themselves, because of what somebody unknown tried.
    System,
}

impl Actor {
    /// Its kind and id in the database.
    pub(crate) fn columns(self) -> (&'static str, Option<UserId>) {
        match self {
            Self::User(user) => ("user", Some(user)),
            Self::System => ("system", None),
        }
    }
}

/// An event, as it is recorded and as [`Hooks`](crate::Hooks) get it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// Its id; later events have greater ones.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// Who did it.
    pub actor: Actor,
    /// To whose account it happened.
    pub subject: UserId,
    /// The session that it is about, or by which it was done.
    pub session: Option<SessionId>,
    /// The IP address of the client.
    pub address: Option<String>,
    /// What the client calls itself, at most 200 characters.
    pub user_agent: Option<String>,
    /// When.
    pub happened_at: Timestamp,
}
