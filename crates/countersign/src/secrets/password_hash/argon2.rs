//! Argon2 strings (RFC 9106, and the earlier version 0x10), and when one is too weak to keep.

use std::fmt;

use countersign_argon2::{Params, Variant, Version};

use super::{PasswordHash, Recipe, TAG_BYTES_MIN, UnreadableHash, fields};
use crate::config::{HASH_LANES_MAX, HASH_MEMORY_KIB_MAX, HASH_WORK_KIB_MAX, HashParameters};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Argon2 {
    variant: Variant,
    version: Version,
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

/// Parses the fields after the variant's name. Key ids and associated data are refused: no password library writes
/// them, and verification would need the values behind them.
pub(super) fn parse(variant: &str, rest: &[&str]) -> Result<PasswordHash, UnreadableHash> {
    let variant = match variant {
        "argon2d" => Variant::Argon2d,
        "argon2i" => Variant::Argon2i,
        "argon2id" => Variant::Argon2id,
        _ => return Err(UnreadableHash::UnknownForm),
    };
    let (version, cost, salt, tag) = match *rest {
        ["v=19", cost, salt, tag] => (Version::V0x13, cost, salt, tag),
        // Version 0x10 is older than the version field.
        ["v=16", cost, salt, tag] | [cost, salt, tag] => (Version::V0x10, cost, salt, tag),
        _ => return Err(UnreadableHash::Malformed),
    };
    let [memory_kib, iterations, lanes] = fields::numbers(["m", "t", "p"], cost)?;
    let argon2 = Argon2 { variant, version, memory_kib, iterations, lanes };
    PasswordHash::stored(
        Recipe::Argon2(argon2.bounded()?),
        fields::bytes(&fields::PHC, salt)?,
        fields::bytes(&fields::PHC, tag)?,
    )
}

impl Argon2 {
    /// Returns the parameters that this crate writes.
    pub(super) fn current(parameters: &HashParameters) -> Argon2 {
        Argon2 {
            variant: Variant::Argon2id,
            version: Version::V0x13,
            memory_kib: parameters.memory_kib(),
            iterations: parameters.iterations(),
            lanes: parameters.lanes(),
        }
    }

    fn bounded(self) -> Result<Argon2, UnreadableHash> {
        let work_kib = self.memory_kib.checked_mul(self.iterations);
        let bounded = self.memory_kib <= HASH_MEMORY_KIB_MAX
            && work_kib.is_some_and(|kib| kib <= HASH_WORK_KIB_MAX)
            && self.lanes <= HASH_LANES_MAX
            && self.params(TAG_BYTES_MIN).is_some();
        if bounded { Ok(self) } else { Err(UnreadableHash::OutOfBounds) }
    }

    /// Returns the parameters for this tag length; `None` if RFC 9106 forbids them.
    pub(super) fn params(self, tag_bytes: usize) -> Option<Params> {
        let tag_bytes = u32::try_from(tag_bytes).ok()?;
        Params::new(self.variant, self.version, self.memory_kib, self.iterations, self.lanes, tag_bytes).ok()
    }

    pub(super) fn is_weaker_than(self, other: &Argon2) -> bool {
        self.variant != other.variant
            || self.version != other.version
            || self.memory_kib < other.memory_kib
            || self.iterations < other.iterations
    }
}

impl fmt::Display for Argon2 {
    /// Writes the string without salt and tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = match self.variant {
            Variant::Argon2d => "argon2d",
            Variant::Argon2i => "argon2i",
            Variant::Argon2id => "argon2id",
        };
        let version = match self.version {
            Version::V0x13 => 19,
            Version::V0x10 => 16,
        };
        write!(f, "${variant}$v={version}$m={},t={},p={}", self.memory_kib, self.iterations, self.lanes)
    }
}
