//! The identifiers that a login accepts.

use std::fmt;

/// What a login's `username` field may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoginBy {
    /// The e-mail address alone.
    #[default]
    Email,
    /// The e-mail address or the username. Usernames are public, so this tells a guesser half of what it needs.
    EmailOrUsername,
}

impl LoginBy {
    /// The name that an operator sets it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::EmailOrUsername => "email_or_username",
        }
    }
}

impl fmt::Display for LoginBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
