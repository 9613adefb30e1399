//! Account events: what happened to an account, who did it, with what outcome and from where.

use jiff::Timestamp;

use super::{EventId, SessionId, UserId};

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The account was created.
    Registered,
    /// The address was verified.
    EmailVerified,
    /// A session started, by login or reauthentication.
    SessionBegun,
    /// A session ended by logout, or was ended from another session.
    SessionEnded,
    /// All sessions except the present one were ended.
    OtherSessionsEnded,
    /// An exchanged refresh token was presented again, and its session was ended.
    RefreshTokenReused,
    /// A login from a new device.
    NewSignIn,
    /// The user changed the password.
    PasswordChanged,
    /// The password was reset by mail.
    PasswordReset,
    /// The username was changed.
    UsernameChanged,
    /// The e-mail address was changed.
    EmailChanged,
    /// The reader of the former address undid an address change.
    EmailChangeUndone,
    /// The account was deleted.
    AccountDeleted,
}

impl EventKind {
    /// All kinds. The length makes a new kind fail to compile until it is listed here.
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

    /// Returns the name in the database and in logs.
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

    /// Returns the outcome of the attempt.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::RefreshTokenReused => Outcome::Failure,
            _ => Outcome::Success,
        }
    }
}

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It succeeded.
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

/// Who caused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Actor {
    /// A user.
    User(UserId),
    /// The system, because of what an unknown client tried.
    System,
}

impl Actor {
    /// Returns the kind and id for the database.
    pub(crate) fn columns(self) -> (&'static str, Option<UserId>) {
        match self {
            Self::User(user) => ("user", Some(user)),
            Self::System => ("system", None),
        }
    }
}

/// An event as it is recorded and passed to [`Hooks`](crate::Hooks).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The id. Later events have greater ids.
    pub id: EventId,
    /// The kind.
    pub kind: EventKind,
    /// Who caused it.
    pub actor: Actor,
    /// The user whose account it concerns.
    pub subject: UserId,
    /// The session that it concerns, or that caused it.
    pub session: Option<SessionId>,
    /// The IP address of the client.
    pub address: Option<String>,
    /// The client's `User-Agent`, at most 200 characters.
    pub user_agent: Option<String>,
    /// When it happened.
    pub happened_at: Timestamp,
}
