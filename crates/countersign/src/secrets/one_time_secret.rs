//! One-time tokens and their codes, derived from the token's salt and `SECRET_KEY`, so that a mail can be sent again
//! although neither is stored.
//!
//! The database holds the token's SHA-256 for lookup. It holds nothing of the code, which is too short to be protected
//! by a hash. An attacker with the database lacks the key, and one with the key lacks the salt.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::keys::{Keys, Purpose};
use crate::model::{OneTimeCode, OneTimeTokenId, trim_pasted};

/// Number of six-digit codes. They are taken from 64-bit numbers, so the bias is below one in ten billion.
const CODES: u64 = 1_000_000;

/// A one-time secret in its two forms.
pub(crate) struct OneTimeSecret {
    /// 43 characters of URL-safe Base64: 256 bits.
    pub(crate) token: SecretString,
    /// 6 digits.
    pub(crate) code: SecretString,
}

impl Keys {
    /// Derives the secret of a new token.
    pub(crate) fn one_time_secret(&self, id: OneTimeTokenId, salt: &[u8]) -> OneTimeSecret {
        make(self.present(Purpose::OneTimeTokens), id, salt)
    }

    /// Derives the secret of an existing token again, identified by its hash; `None` if its key is no longer
    /// configured.
    pub(crate) fn recover_one_time_secret(&self, id: OneTimeTokenId, salt: &[u8], hash: &str) -> Option<OneTimeSecret> {
        self.all(Purpose::OneTimeTokens).map(|key| make(key, id, salt)).find(|secret| hash_of(&secret.token) == hash)
    }
}

impl OneTimeSecret {
    /// Compares `code` with this secret's code in constant time.
    pub(crate) fn has_code(&self, code: &OneTimeCode) -> bool {
        self.code.expose_secret().as_bytes().ct_eq(code.expose().as_bytes()).into()
    }
}

fn make(key: &Hmac<Sha256>, id: OneTimeTokenId, salt: &[u8]) -> OneTimeSecret {
    // All parts except the salt have a fixed length, and the salt is last.
    let mac = |part: u8| {
        let mac = key.clone().chain_update([part]).chain_update(id.uuid().as_bytes()).chain_update(salt);
        Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()))
    };
    let digits = mac(1);
    let (first, _) = digits.split_first_chunk::<8>().expect("32 bytes");
    let code = u64::from_be_bytes(*first) % CODES;
    OneTimeSecret { token: URL_SAFE_NO_PAD.encode(*mac(0)).into(), code: format!("{code:06}").into() }
}

/// Returns the lookup hash of a token, an invitation code or another 256-bit secret: SHA-256 in 64 hexadecimal digits.
/// Trims what copying may add at both ends.
pub(crate) fn hash_of(secret: &SecretString) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(trim_pasted(secret.expose_secret())) {
        write!(text, "{byte:02x}").expect("a String takes everything");
    }
    text
}

/// Generates a 256-bit secret that is shown once: 43 characters of URL-safe Base64.
pub(crate) fn generate() -> SecretString {
    URL_SAFE_NO_PAD.encode(super::bytes::<32>()).into()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::secrets::generate_secret_key;

    #[test]
    fn a_secret_comes_again_from_its_id_salt_and_key_alone() {
        let (key, newer) = (generate_secret_key(), generate_secret_key());
        let id = OneTimeTokenId::new(Timestamp::UNIX_EPOCH);
        let secret = Keys::new(std::slice::from_ref(&key)).one_time_secret(id, &[7; 32]);
        let hash = hash_of(&secret.token);
        assert_eq!((secret.token.expose_secret().len(), secret.code.expose_secret().len(), hash.len()), (43, 6, 64));
        let keys = Keys::new(&[newer.clone(), key]);
        let again = keys.recover_one_time_secret(id, &[7; 32], &hash).unwrap();
        assert_eq!(again.token.expose_secret(), secret.token.expose_secret());
        assert!(again.has_code(&OneTimeCode::parse(secret.code.expose_secret()).unwrap()));
        assert!(keys.recover_one_time_secret(id, &[8; 32], &hash).is_none());
        assert!(keys.recover_one_time_secret(OneTimeTokenId::new(Timestamp::UNIX_EPOCH), &[7; 32], &hash).is_none());
        assert!(Keys::new(&[newer]).recover_one_time_secret(id, &[7; 32], &hash).is_none());
    }

    #[test]
    fn codes_are_spread_over_all_digits() {
        let keys = Keys::new(&[generate_secret_key()]);
        let mut firsts = [0_u32; 10];
        for salt in 0..1_000_u32 {
            let id = OneTimeTokenId::from(uuid::Uuid::nil());
            let code = keys.one_time_secret(id, &salt.to_be_bytes()).code;
            firsts[usize::from(code.expose_secret().as_bytes()[0] - b'0')] += 1;
        }
        assert!(firsts.iter().all(|count| (50..200).contains(count)), "{firsts:?}");
    }
}
