//! Decides which events concern an account's safety.

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A refresh token was presented that had been exchanged before; its session was ended.
    RefreshTokenReused,
}

impl EventKind {
    /// Its name in the database and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RefreshTokenReused => "refresh_token_reused",
        }
    }
}
