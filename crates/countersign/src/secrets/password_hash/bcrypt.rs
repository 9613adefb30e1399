//! bcrypt strings, and how much of a long password counts.
//!
//! bcrypt reads 72 bytes of a password, and its libraries silently truncated the rest. This one does the same, because
//! otherwise imported users with longer passwords would be locked out. The hash that replaces theirs covers the whole
//! password.
//!
//! `$2a$`, `$2b$` and `$2y$` are the same algorithm in all libraries still in use. `$2x$` marks hashes of a faulty one
//! and is not readable.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{PasswordHash, Recipe, UnreadableHash, fields};

/// From the algorithm's minimum to sixteen times the work of the usual 12: seconds, not hours.
const COSTS: std::ops::RangeInclusive<u32> = 4..=16;
const KEY_BYTES_MAX: usize = 72;

const SALT_BYTES: usize = 16;
const SALT_CHARACTERS: usize = 22;
/// The algorithm yields 24 bytes, but the last one was never stored.
const TAG_BYTES: usize = 23;
/// Salt and tag are adjacent, both in the bcrypt alphabet.
pub(super) const SALT_AND_TAG_CHARACTERS: usize = SALT_CHARACTERS + 31;

#[derive(Clone, Copy)]
pub(super) struct Bcrypt {
    input: Input,
    cost: u32,
}

#[derive(Clone, Copy)]
pub(super) enum Input {
    /// The password itself.
    Password,
    /// Django's `bcrypt_sha256`: the password's SHA-256 in hexadecimal, which contains no NUL and fits into 72 bytes.
    Sha256Hex,
}

pub(super) fn parse(input: Input, cost: &str, salt_and_tag: &str) -> Result<PasswordHash, UnreadableHash> {
    // Always two digits: here a leading zero is canonical.
    let cost = match cost.as_bytes() {
        [b'0', _] => fields::number(&cost[1..])?,
        [_, _] => fields::number(cost)?,
        _ => return Err(UnreadableHash::Malformed),
    };
    if !COSTS.contains(&cost) {
        return Err(UnreadableHash::OutOfBounds);
    }
    let (salt, tag) = salt_and_tag.split_at_checked(SALT_CHARACTERS).ok_or(UnreadableHash::Malformed)?;
    let salt = fields::bytes(&fields::BCRYPT, salt)?;
    let tag = fields::bytes(&fields::BCRYPT, tag)?;
    if (salt.len(), tag.len()) != (SALT_BYTES, TAG_BYTES) {
        return Err(UnreadableHash::Malformed);
    }
    PasswordHash::stored(Recipe::Bcrypt(Bcrypt { input, cost }), salt, tag)
}

impl Bcrypt {
    pub(super) fn derive(self, password: &[u8], salt: &[u8], tag: &mut [u8]) {
        let digest;
        let input: &[u8] = match self.input {
            Input::Password => password,
            Input::Sha256Hex => {
                digest = sha256_hex(password);
                digest.as_slice()
            }
        };
        // The terminating NUL is part of the key if it fits.
        let mut key = Zeroizing::new([0; KEY_BYTES_MAX]);
        let length = input.len().min(KEY_BYTES_MAX);
        key[..length].copy_from_slice(&input[..length]);
        let key = &key[..(length + 1).min(KEY_BYTES_MAX)];

        let mut salt_array = [0; SALT_BYTES];
        salt_array.copy_from_slice(salt);
        let derived = Zeroizing::new(::bcrypt::bcrypt(self.cost, salt_array, key));
        tag.copy_from_slice(&derived[..TAG_BYTES]);
    }
}

impl Bcrypt {
    /// Returns the remaining work after that of `spent`: each cost is twice the work of the one below.
    pub(super) fn without(self, spent: Self) -> impl Iterator<Item = Self> {
        (spent.cost..self.cost).map(move |cost| Self { cost, ..self })
    }
}

impl fmt::Display for Bcrypt {
    /// Writes the string without salt and tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let input = match self.input {
            Input::Password => "",
            Input::Sha256Hex => "bcrypt_sha256$",
        };
        write!(f, "{input}$2b${:02}$", self.cost)
    }
}

fn sha256_hex(password: &[u8]) -> Zeroizing<Vec<u8>> {
    let digest = Zeroizing::new(<[u8; 32]>::from(Sha256::digest(password)));
    let nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    Zeroizing::new(nibbles.map(|nibble| b"0123456789abcdef"[usize::from(nibble)]).collect())
}
