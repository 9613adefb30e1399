//! scrypt strings (RFC 7914).

use std::fmt;

use ::scrypt::Params;

use super::{PasswordHash, Recipe, UnreadableHash, fields};

/// 256 MiB: twice the OWASP recommendation, sixteen times Django's default.
const MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Total memory filled by all lanes, which run one after another: 1 GiB.
const MEMORY_BYTES_FILLED_MAX: u64 = 1024 * 1024 * 1024;
/// Prevents overflow of the products below; the memory limit is stricter.
const LOG_N_MAX: u32 = 31;
/// Together with `LANES_MAX`, also limits a buffer outside that memory. All known defaults are 8.
const BLOCK_SIZE_MAX: u32 = 32;
const LANES_MAX: u32 = 16;

/// All of Django's have this length. A shorter one would be a truncated one that still matches.
const DJANGO_TAG_BYTES: usize = 64;

#[derive(Clone, Copy, PartialEq)]
pub(super) struct Scrypt {
    params: Params,
}

/// Parses `$scrypt$ln=16,r=8,p=1$salt$tag`, as passlib and others write it, with the logarithm of N.
pub(super) fn parse_phc(cost: &str, salt: &str, tag: &str) -> Result<PasswordHash, UnreadableHash> {
    let [log_n, r, p] = fields::numbers(["ln", "r", "p"], cost)?;
    PasswordHash::stored(
        Recipe::Scrypt(Scrypt::bounded(log_n, r, p)?),
        fields::bytes(&fields::PHC, salt)?,
        fields::bytes(&fields::PHC, tag)?,
    )
}

/// Parses Django's `scrypt$16384$salt$8$5$tag`, with N itself and a text salt.
pub(super) fn parse_django([n, r, p]: [&str; 3], salt: &str, tag: &str) -> Result<PasswordHash, UnreadableHash> {
    let n = fields::number(n)?;
    if !n.is_power_of_two() {
        return Err(UnreadableHash::Malformed);
    }
    let scrypt = Scrypt::bounded(n.ilog2(), fields::number(r)?, fields::number(p)?)?;
    let tag = fields::bytes(&fields::DJANGO, tag)?;
    if tag.len() != DJANGO_TAG_BYTES {
        return Err(UnreadableHash::Malformed);
    }
    PasswordHash::stored(Recipe::Scrypt(scrypt), salt.as_bytes().to_vec(), tag)
}

impl Scrypt {
    fn bounded(log_n: u32, r: u32, p: u32) -> Result<Scrypt, UnreadableHash> {
        let plausible =
            (1..=LOG_N_MAX).contains(&log_n) && (1..=BLOCK_SIZE_MAX).contains(&r) && (1..=LANES_MAX).contains(&p);
        if !plausible {
            return Err(UnreadableHash::OutOfBounds);
        }
        let memory_bytes = (128 * u64::from(r)) << log_n;
        let affordable = memory_bytes <= MEMORY_BYTES_MAX && memory_bytes * u64::from(p) <= MEMORY_BYTES_FILLED_MAX;
        if !affordable {
            return Err(UnreadableHash::OutOfBounds);
        }
        let log_n = u8::try_from(log_n).map_err(|_| UnreadableHash::OutOfBounds)?;
        let params = Params::new(log_n, r, p).map_err(|_| UnreadableHash::OutOfBounds)?;
        Ok(Scrypt { params })
    }

    /// Returns the memory, 128 r N bytes (RFC 7914, section 5).
    pub(super) fn memory_bytes(&self) -> u64 {
        (128 * u64::from(self.params.r())) << self.params.log_n()
    }

    pub(super) fn derive(&self, password: &[u8], salt: &[u8], tag: &mut [u8]) {
        ::scrypt::scrypt(password, salt, &self.params, tag).expect("the tag's length was checked when it was read");
    }
}

impl fmt::Display for Scrypt {
    /// Writes the string without salt and tag.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "$scrypt$ln={},r={},p={}", self.params.log_n(), self.params.r(), self.params.p())
    }
}
