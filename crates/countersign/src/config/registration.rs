//! Registration: who may register, and how long a new address can be confirmed.

use std::fmt;

use jiff::SignedDuration;

/// What a host configures about registration and the confirmation of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistrationPolicy {
    /// Who may register, and under which conditions.
    pub mode: RegistrationMode,
    /// Lifetime of confirmation mails.
    pub verification_ttl: SignedDuration,
}

impl Default for RegistrationPolicy {
    /// Anyone may register, and has a day to confirm the address.
    fn default() -> Self {
        Self { mode: RegistrationMode::Open, verification_ttl: SignedDuration::from_hours(24) }
    }
}

/// Who may register, and under which conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistrationMode {
    /// Anyone; the account is created at once, and a mail asks to confirm the address. The response tells whether an address has an
    /// account. An e-mail change takes effect at once, as the API's contract requires; with the other modes the new address must be
    /// proven first.
    Open,
    /// Anyone who can read the address's mail: the account is created when the address is proven, and the response is the same
    /// whether or not the address has an account.
    Verified,
    /// Only people with an invitation.
    Invite,
    /// No one.
    Closed,
}

impl RegistrationMode {
    /// The name of the value in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Verified => "verified",
            Self::Invite => "invite",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for RegistrationMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
