//! Passwords: which ones are rejected, and the cost of a new hash.

use std::fmt;

/// What a host configures about passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PasswordPolicy {
    /// Whether common passwords are rejected.
    pub blocklist: Blocklist,
    /// The cost of a new password hash.
    pub hash_parameters: HashParameters,
}

impl Default for PasswordPolicy {
    /// Common passwords are rejected, and hashes cost [`HashParameters::default`].
    fn default() -> Self {
        Self { blocklist: Blocklist::Common, hash_parameters: HashParameters::default() }
    }
}

/// Whether the most common passwords are rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocklist {
    /// Passwords on the embedded list are rejected.
    Common,
    /// Any password of valid length is accepted.
    Off,
}

impl Blocklist {
    /// The name of the value in settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Common => "on",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for Blocklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Cost parameters of Argon2id (RFC 9106, section 3.1), validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashParameters {
    memory_kib: u32,
    iterations: u32,
    lanes: u32,
}

/// Why cost parameters are invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHashParameters {
    /// Lanes out of range.
    #[error("Argon2 lanes must be between 1 and 16")]
    Lanes,
    /// Iterations out of range.
    #[error("Argon2 iterations must be between 1 and 16")]
    Iterations,
    /// Memory out of range.
    #[error("Argon2 memory must be between 8 KiB for each lane and 262144 KiB")]
    Memory,
    /// Memory times iterations out of range.
    #[error("Argon2 memory times iterations must not be more than 1048576 KiB")]
    Work,
}

/// Maximum memory for one hash, ours or imported, in KiB: four times the default.
pub(crate) const HASH_MEMORY_KIB_MAX: u32 = 256 * 1024;
/// Maximum memory written over all iterations of one hash, in KiB: about five times the default's work.
pub(crate) const HASH_WORK_KIB_MAX: u32 = 1024 * 1024;
/// Maximum lanes of one hash.
pub(crate) const HASH_LANES_MAX: u32 = 16;

impl HashParameters {
    /// Makes parameters from the memory in KiB, the iterations and the lanes. The maximums keep a login from taking seconds.
    pub fn new(memory_kib: u32, iterations: u32, lanes: u32) -> Result<Self, InvalidHashParameters> {
        if !(1..=HASH_LANES_MAX).contains(&lanes) {
            return Err(InvalidHashParameters::Lanes);
        }
        if !(1..=16).contains(&iterations) {
            return Err(InvalidHashParameters::Iterations);
        }
        if !(8 * lanes..=HASH_MEMORY_KIB_MAX).contains(&memory_kib) {
            return Err(InvalidHashParameters::Memory);
        }
        // Both are small enough not to overflow.
        if memory_kib * iterations > HASH_WORK_KIB_MAX {
            return Err(InvalidHashParameters::Work);
        }
        Ok(Self { memory_kib, iterations, lanes })
    }

    /// Whether the cost is below the minimum of OWASP's Password Storage Cheat Sheet: 46 MiB in one pass, or 19 MiB in two.
    pub fn is_below_recommendations(&self) -> bool {
        self.memory_kib < 19_456 || (self.iterations == 1 && self.memory_kib < 47_104)
    }

    /// Memory, in KiB.
    pub fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Independent lanes.
    pub fn lanes(&self) -> u32 {
        self.lanes
    }
}

impl Default for HashParameters {
    /// 64 MiB, 3 passes, 4 lanes: the second recommended option of RFC 9106, section 4, and the profile of Python's pwdlib.
    fn default() -> Self {
        Self { memory_kib: 65_536, iterations: 3, lanes: 4 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_below_the_recommendations_are_known() {
        let is_below =
            |memory_kib, iterations| HashParameters::new(memory_kib, iterations, 1).unwrap().is_below_recommendations();
        assert!(!HashParameters::default().is_below_recommendations());
        assert!(!is_below(19_456, 2) && !is_below(47_104, 1));
        assert!(is_below(19_456, 1) && is_below(19_455, 2) && is_below(47_103, 1));
    }

    #[test]
    fn costs_out_of_range_are_refused() {
        assert!(HashParameters::new(65_536, 3, 4).is_ok());
        assert_eq!(HashParameters::new(65_536, 3, 0), Err(InvalidHashParameters::Lanes));
        assert_eq!(HashParameters::new(65_536, 0, 4), Err(InvalidHashParameters::Iterations));
        assert_eq!(HashParameters::new(31, 3, 4), Err(InvalidHashParameters::Memory));
        assert_eq!(HashParameters::new(262_144, 5, 4), Err(InvalidHashParameters::Work));
        assert_eq!(HashParameters::new(u32::MAX, 3, 4), Err(InvalidHashParameters::Memory));
    }
}
