//! All cryptography and random number generation of this crate.

pub(crate) mod access_token;
pub(crate) mod attempt_key;
pub(crate) mod challenge;
pub(crate) mod device_cookie;
pub(crate) mod hashing_pool;
mod keys;
pub(crate) mod one_time_secret;
pub(crate) mod password_hash;
mod random;
pub(crate) mod sealing;
pub(crate) mod session_secret;

pub use hashing_pool::{HashingMetrics, HashingSpeed, Histogram, measure_hashing};
pub(crate) use keys::Keys;
pub(crate) use random::{bytes, random_picture_file};
pub use random::{generate_secret_key, random_uuid_v7};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::{Builder, Uuid};
use zeroize::Zeroizing;

use crate::config::SecretKey;

/// Derives a key for one purpose from `SECRET_KEY` (HMAC as a pseudo-random function, NIST SP 800-108), so that the use
/// of one key reveals nothing about another.
fn derived_key(key: &SecretKey, purpose: &str) -> Zeroizing<[u8; 32]> {
    let prf: Hmac<Sha256> = Hmac::new_from_slice(key.expose().as_bytes()).expect("HMAC takes a key of any length");
    let derived = prf.chain_update("countersign, version 1: ").chain_update(purpose).finalize();
    Zeroizing::new(derived.into_bytes().into())
}

/// Returns the same UUID for the same name: `UUIDv8` from SHA-256 (RFC 9562, appendix B.2, without a name space).
pub(crate) fn uuid_of_name(name: &str) -> Uuid {
    let digest = <Sha256 as sha2::Digest>::digest(name);
    let (first, _) = digest.split_first_chunk::<16>().expect("a digest has 32 bytes");
    Builder::from_custom_bytes(*first).into_uuid()
}
