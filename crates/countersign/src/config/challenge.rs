//! Proof of work: when a client has to do it, and how much of it.

use std::fmt;

use jiff::SignedDuration;

/// What is asked of a client that registers or forgot a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengePolicy {
    /// When it is asked.
    pub when: ChallengeWhen,
    /// How many zero bits a solution has: on average so many bits of hashes are computed for it. At most
    /// [`ChallengePolicy::BITS_MAX`].
    pub bits: u8,
    /// How long a challenge can be answered.
    pub ttl: SignedDuration,
}

/// When a proof of work is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeWhen {
    /// Never.
    Off,
    /// While more passwords are waiting to be hashed than usual.
    UnderLoad,
    /// Always.
    Always,
}

impl ChallengeWhen {
    /// The name that an operator sets it by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::UnderLoad => "under_load",
            Self::Always => "always",
        }
    }
}

impl fmt::Display for ChallengeWhen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ChallengePolicy {
    /// More would take a phone minutes.
    pub const BITS_MAX: u8 = 24;
}

impl Default for ChallengePolicy {
    /// Off: clients that do not know of it could not register. Where it is on, 2^18 hashes and five minutes.
    fn default() -> Self {
        Self { when: ChallengeWhen::Off, bits: 18, ttl: SignedDuration::from_mins(5) }
    }
}
