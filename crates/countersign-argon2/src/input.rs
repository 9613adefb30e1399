//! The input of a hash, and its checks.

use std::fmt;

use crate::Params;

/// The input of a hash. Borrowed: nothing is copied or kept.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The password, of any length up to 2^32 - 1 bytes.
    pub password: &'a [u8],
    /// The salt, 8 to 2^32 - 1 bytes. RFC 9106 recommends 16 random ones.
    pub salt: &'a [u8],
    /// The secret, also called pepper or key; empty for none.
    pub secret: &'a [u8],
    /// Associated data; empty for none.
    pub associated_data: &'a [u8],
}

impl<'a> Input<'a> {
    /// Creates an input from a password and its salt, without secret or associated data.
    pub const fn new(password: &'a [u8], salt: &'a [u8]) -> Self {
        Self { password, salt, secret: &[], associated_data: &[] }
    }

    /// Checks that the lengths are within RFC 9106, section 3.1, and that the tag has the parameters' length.
    pub(crate) fn check(&self, params: &Params, tag: &[u8]) -> Result<(), HashError> {
        if tag.len() as u64 != u64::from(params.tag_len()) {
            return Err(HashError::TagLen { expected: params.tag_len(), given: tag.len() });
        }
        if self.salt.len() < Params::SALT_LEN_MIN {
            return Err(HashError::SaltTooShort);
        }
        if [self.password, self.salt, self.secret, self.associated_data].iter().any(|f| u32::try_from(f.len()).is_err())
        {
            return Err(HashError::InputTooLong);
        }
        Ok(())
    }
}

/// One of the hashes that [`Arena::hash_many`](crate::Arena::hash_many) computes together.
pub struct Job<'a> {
    /// The input to hash.
    pub input: Input<'a>,
    /// Receives the tag. Its length must be the parameters' tag length.
    pub tag: &'a mut [u8],
}

/// Why a hash was not computed. The tags are untouched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashError {
    /// The arena is smaller than one hash needs ([`Params::memory_bytes`]).
    ArenaTooSmall {
        /// What one hash needs, in bytes.
        needed: u64,
        /// What the arena has, in bytes.
        arena: u64,
    },
    /// The salt is shorter than 8 bytes.
    SaltTooShort,
    /// A password, salt, secret or associated data longer than 2^32 - 1 bytes.
    InputTooLong,
    /// The tag buffer's length differs from the parameters' tag length.
    TagLen {
        /// The parameters' tag length in bytes.
        expected: u32,
        /// The buffer's length in bytes.
        given: usize,
    },
}

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArenaTooSmall { needed, arena } => {
                write!(f, "the hash needs {needed} bytes of memory, the arena has {arena}")
            }
            Self::SaltTooShort => f.write_str("the salt must be at least 8 bytes long"),
            Self::InputTooLong => f.write_str("an input must be shorter than 2^32 bytes"),
            Self::TagLen { expected, given } => {
                write!(f, "the parameters say a tag of {expected} bytes, the buffer has {given}")
            }
        }
    }
}

impl std::error::Error for HashError {}
