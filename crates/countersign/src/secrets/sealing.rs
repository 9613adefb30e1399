//! Encryption of secrets that the database must return in plain text: AES-256-GCM with a key derived from `SECRET_KEY`,
//! labelled with the key's id.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::derived_key;
use crate::config::SecretKey;
use crate::model::Sealed;

/// Why a sealed secret could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnsealError {
    /// It was sealed with a key that is neither `SECRET_KEY` nor one of `SECRET_KEY_PREVIOUS`.
    #[error("it was sealed under another SECRET_KEY; give that one in SECRET_KEY_PREVIOUS")]
    AnotherKey,
    /// It was changed in the database.
    #[error("it was changed in the database")]
    Damaged,
}

/// Returns an id for a `SECRET_KEY` that reveals nothing about it.
pub(crate) fn key_id(key: &SecretKey) -> String {
    let digest = Sha256::digest(derived_key(key, "key id").as_slice());
    let (first, _) = digest.split_first_chunk::<8>().expect("a digest has 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*first))
}

/// Seals `secret`. It can be opened only with the same `context`, which names its owner.
pub(crate) fn seal(key: &SecretKey, context: &str, secret: &[u8]) -> Sealed {
    let mut sealed = secret.to_vec();
    let nonce = cipher(key).seal_in_place_append_tag(Aad::from(context), &mut sealed);
    let nonce = nonce.expect("a secret is far below the bounds of AES-GCM");
    Sealed { bytes: [nonce.as_ref().as_slice(), &sealed].concat(), by: key_id(key) }
}

/// Opens a secret that was sealed with one of `keys`.
pub(crate) fn open(keys: &[SecretKey], context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, UnsealError> {
    let key = keys.iter().find(|key| key_id(key) == sealed.by).ok_or(UnsealError::AnotherKey)?;
    let (nonce, rest) = sealed.bytes.split_first_chunk::<NONCE_LEN>().ok_or(UnsealError::Damaged)?;
    let mut secret = Zeroizing::new(rest.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = cipher(key).open_in_place(nonce, Aad::from(context), &mut secret);
    let length = opened.map_err(|_| UnsealError::Damaged)?.len();
    secret.truncate(length);
    Ok(secret)
}

fn cipher(key: &SecretKey) -> RandomizedNonceKey {
    RandomizedNonceKey::new(&AES_256_GCM, derived_key(key, "sealing").as_slice()).expect("the derived key has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::generate_secret_key;

    #[test]
    fn what_is_sealed_opens_under_its_own_key_and_context_alone() {
        let keys = [generate_secret_key(), generate_secret_key()];
        let sealed = seal(&keys[1], "a", b"secret");
        assert_eq!(open(&keys, "a", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(open(&keys, "b", &sealed).err(), Some(UnsealError::Damaged));
        assert_eq!(open(&keys[..1], "a", &sealed).err(), Some(UnsealError::AnotherKey));
        let mut damaged = sealed.clone();
        damaged.bytes[20] ^= 1;
        assert_eq!(open(&keys, "a", &damaged).err(), Some(UnsealError::Damaged));
        damaged.bytes.truncate(5);
        assert_eq!(open(&keys, "a", &damaged).err(), Some(UnsealError::Damaged));
        assert_ne!(seal(&keys[1], "a", b"secret").bytes, sealed.bytes);
    }
}
