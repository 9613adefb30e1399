//! Registration: who may register, and how long a new address can be confirmed.

use std::fmt;

use jiff::SignedDuration;

/// What a host chooses about registration and the confirmation of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationPolicy {
    /// Who may register, and what that takes.
    pub mode: RegistrationMode,
    /// How long a mail works that asks to confirm an address.
    pub verification_ttl: SignedDuration,
}

impl Default for RegistrationPolicy {
    /// Anybody may register, and has a day to confirm the address.
    fn default() -> Self {
        Self { mode: RegistrationMode::Open, verification_ttl: SignedDuration::from_hours(24) }
    }
}

/// Who may register, and what that takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationMode {
    /// Anybody; the account is there at once, and a mail asks to confirm the address. The answer tells whether an address
    /// has an account. Another address counts at once, as the API's contract has it; with the other modes it has to be proven.
    Open,
    /// Anybody who reads the address: the account comes to be when that is proven, and the answer is the same whether or not
    /// the address has one.
    Verified,
    /// Only people with an invitation.
    Invite,
    /// Nobody.
    Closed,
}

impl RegistrationMode {
    /// The name that an operator sets it by.
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
