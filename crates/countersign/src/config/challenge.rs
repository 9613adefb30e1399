//! Proof of work: when it is required, and how hard it is.

use std::fmt;

use jiff::SignedDuration;

/// The proof of work required for registering or requesting a password reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChallengePolicy {
    /// When it is required.
    pub when: ChallengeWhen,
    /// Required zero bits; a solution takes `2^bits` hashes on average. At most [`ChallengePolicy::BITS_MAX`].
    pub bits: u8,
    /// Lifetime of a challenge.
    pub ttl: SignedDuration,
}

/// When a proof of work is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChallengeWhen {
    /// Never.
    Off,
    /// While more passwords than usual wait to be hashed.
    UnderLoad,
    /// Always.
    Always,
}

impl ChallengeWhen {
    /// The name of the value in settings.
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
    /// Maximum number of bits; more would take a phone minutes.
    pub const BITS_MAX: u8 = 24;
}

impl Default for ChallengePolicy {
    /// Off, because clients that do not support it could not register. When on: 2^18 hashes on average, within five minutes.
    fn default() -> Self {
        Self { when: ChallengeWhen::Off, bits: 18, ttl: SignedDuration::from_mins(5) }
    }
}
