//! The identifiers that a login accepts.

use std::fmt;

/// The accepted values of a login's `username` field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginBy {
    /// Only the e-mail address.
    #[default]
    Email,
    /// The e-mail address or the username. Usernames are public, so this gives an attacker half of the credentials.
    EmailOrUsername,
}

impl LoginBy {
    /// The name of the value in settings.
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
