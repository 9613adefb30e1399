//! PBKDF2 strings (RFC 8018), in the spellings of three libraries.

use std::fmt;

use ::pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha512};

use super::{PasswordHash, Recipe, UnreadableHash, fields};

/// Maximum HMAC iterations over all blocks of a tag. Django's default is about a million and rises every few months.
const ITERATIONS_MAX: u64 = 5_000_000;

#[derive(Clone, Copy)]
pub(super) struct Pbkdf2 {
    digest: Digest,
    iterations: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

/// Parses `$pbkdf2-sha256$i=600000,l=32$salt$tag`, the PHC form that `RustCrypto` writes (`l` is optional), or
/// passlib's `$pbkdf2-sha256$29000$salt$tag`, whose base64 has a dot instead of the plus sign.
pub(super) fn parse_phc_or_passlib(
    digest: &str,
    cost: &str,
    salt: &str,
    tag: &str,
) -> Result<PasswordHash, UnreadableHash> {
    let digest = Digest::named(digest)?;
    let (iterations, tag_bytes, encoding) = if cost.contains(',') {
        let [iterations, tag_bytes] = fields::numbers(["i", "l"], cost)?;
        (iterations, Some(u64::from(tag_bytes)), fields::PHC)
    } else if cost.starts_with("i=") {
        let [iterations] = fields::numbers(["i"], cost)?;
        (iterations, None, fields::PHC)
    } else {
        (fields::number(cost)?, Some(digest.bytes()), fields::PASSLIB)
    };
    let salt = fields::bytes(&encoding, salt)?;
    let tag = fields::bytes(&encoding, tag)?;
    stored(digest, iterations, salt, tag, tag_bytes)
}

/// Parses Django's `pbkdf2_sha256$600000$salt$tag`, whose salt is text.
pub(super) fn parse_django(
    digest: &str,
    iterations: &str,
    salt: &str,
    tag: &str,
) -> Result<PasswordHash, UnreadableHash> {
    let digest = Digest::named(digest)?;
    let iterations = fields::number(iterations)?;
    let salt = salt.as_bytes().to_vec();
    let tag = fields::bytes(&fields::DJANGO, tag)?;
    stored(digest, iterations, salt, tag, Some(digest.bytes()))
}

/// Checks the bounds. `tag_bytes` is the required tag length if the form determines it: a shorter PBKDF2 tag is a
/// prefix of a longer one, so a truncated tag would still match.
fn stored(
    digest: Digest,
    iterations: u32,
    salt: Vec<u8>,
    tag: Vec<u8>,
    tag_bytes: Option<u64>,
) -> Result<PasswordHash, UnreadableHash> {
    let length = tag.len() as u64;
    if tag_bytes.is_some_and(|bytes| bytes != length) {
        return Err(UnreadableHash::Malformed);
    }
    // Each block of the tag after the first costs all iterations again.
    let blocks = length.div_ceil(digest.bytes());
    if iterations == 0 || u64::from(iterations) * blocks > ITERATIONS_MAX {
        return Err(UnreadableHash::OutOfBounds);
    }
    PasswordHash::stored(Recipe::Pbkdf2(Pbkdf2 { digest, iterations }), salt, tag)
}

impl Digest {
    fn named(name: &str) -> Result<Digest, UnreadableHash> {
        match name {
            "pbkdf2" | "pbkdf2_sha1" => Ok(Digest::Sha1),
            "pbkdf2-sha256" | "pbkdf2_sha256" => Ok(Digest::Sha256),
            "pbkdf2-sha512" => Ok(Digest::Sha512),
            _ => Err(UnreadableHash::UnknownForm),
        }
    }

    fn bytes(self) -> u64 {
        match self {
            Digest::Sha1 => 20,
            Digest::Sha256 => 32,
            Digest::Sha512 => 64,
        }
    }
}

impl Pbkdf2 {
    /// Returns whether the work for these tag lengths differs only in iterations.
    pub(super) fn adds_up_with(self, tag_bytes: usize, other: Self, other_bytes: usize) -> bool {
        let blocks = |bytes: usize| (bytes as u64).div_ceil(self.digest.bytes());
        self.digest == other.digest && blocks(tag_bytes) == blocks(other_bytes)
    }

    /// Returns the remaining work after that of `spent`.
    pub(super) fn without(self, spent: Self) -> Option<Self> {
        let iterations = self.iterations.checked_sub(spent.iterations).filter(|left| *left > 0)?;
        Some(Self { iterations, ..self })
    }

    pub(super) fn derive(self, password: &[u8], salt: &[u8], tag: &mut [u8]) {
        let pbkdf2 = match self.digest {
            Digest::Sha1 => pbkdf2_hmac::<Sha1>,
            Digest::Sha256 => pbkdf2_hmac::<Sha256>,
            Digest::Sha512 => pbkdf2_hmac::<Sha512>,
        };
        pbkdf2(password, salt, self.iterations, tag);
    }
}

impl fmt::Display for Pbkdf2 {
    /// Writes the string without tag length, salt and tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = match self.digest {
            Digest::Sha1 => "pbkdf2",
            Digest::Sha256 => "pbkdf2-sha256",
            Digest::Sha512 => "pbkdf2-sha512",
        };
        write!(f, "${digest}$i={}", self.iterations)
    }
}
