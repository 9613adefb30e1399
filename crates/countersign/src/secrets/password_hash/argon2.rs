//! Decides which Argon2 strings are readable (RFC 9106; version 0x10 of before it too) and when one is too weak to keep.

use ::argon2::{Algorithm, Params, Version};

use super::{HashFailure, PasswordHash, Recipe, UnreadableHash, fields};
use crate::config::HashParameters;

/// 256 MiB. Four times the default; RFC 9106's 2 GiB variant is meant for key derivation, not for a server's logins.
const MEMORY_KIB_MAX: u32 = 256 * 1024;
/// Memory written over all iterations: 1 GiB, some five times the default's time. It bounds the iterations.
const MEMORY_KIB_WRITTEN_MAX: u32 = 1024 * 1024;
const LANES_MAX: u32 = 16;

#[derive(Clone, Copy)]
pub(super) struct Argon2 {
    algorithm: Algorithm,
    version: Version,
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

/// The fields after the variant's name. Key identifiers and associated data are refused: no password library writes
/// them, and verification would need what they stand for.
pub(super) fn parse(variant: &str, rest: &[&str]) -> Result<PasswordHash, UnreadableHash> {
    let algorithm = Algorithm::new(variant).map_err(|_| UnreadableHash::UnknownForm)?;
    let (version, cost, salt, tag) = match *rest {
        ["v=19", cost, salt, tag] => (Version::V0x13, cost, salt, tag),
        // The field is younger than the version.
        ["v=16", cost, salt, tag] | [cost, salt, tag] => (Version::V0x10, cost, salt, tag),
        _ => return Err(UnreadableHash::Malformed),
    };
    let [memory_kib, iterations, lanes] = fields::numbers(["m", "t", "p"], cost)?;
    let argon2 = Argon2 { algorithm, version, memory_kib, iterations, lanes };
    PasswordHash::stored(
        Recipe::Argon2(argon2.bounded()?),
        fields::bytes(&fields::PHC, salt)?,
        fields::bytes(&fields::PHC, tag)?,
    )
}

impl Argon2 {
    /// What this crate writes.
    pub(super) fn current(parameters: &HashParameters) -> Argon2 {
        Argon2 {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            memory_kib: parameters.memory_kib(),
            iterations: parameters.iterations(),
            lanes: parameters.lanes(),
        }
    }

    pub(super) fn bounded(self) -> Result<Argon2, UnreadableHash> {
        let written_kib = self.memory_kib.checked_mul(self.iterations);
        let bounded = self.memory_kib <= MEMORY_KIB_MAX
            && written_kib.is_some_and(|kib| kib <= MEMORY_KIB_WRITTEN_MAX)
            && self.lanes <= LANES_MAX
            && self.params().is_ok();
        if bounded { Ok(self) } else { Err(UnreadableHash::OutOfBounds) }
    }

    fn params(self) -> Result<Params, HashFailure> {
        Params::new(self.memory_kib, self.iterations, self.lanes, None).map_err(|_| HashFailure::OutOfBounds)
    }

    pub(super) fn derive(self, password: &[u8], salt: &[u8], tag: &mut [u8]) -> Result<(), HashFailure> {
        ::argon2::Argon2::new(self.algorithm, self.version, self.params()?)
            .hash_password_into(password, salt, tag)
            .map_err(|error| match error {
                ::argon2::Error::OutOfMemory => HashFailure::OutOfMemory,
                _ => HashFailure::OutOfBounds,
            })
    }

    pub(super) fn is_weaker_than(self, other: &Argon2) -> bool {
        self.algorithm != other.algorithm
            || self.version != other.version
            || self.memory_kib < other.memory_kib
            || self.iterations < other.iterations
    }
}
