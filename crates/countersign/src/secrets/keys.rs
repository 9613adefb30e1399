//! Keys derived from `SECRET_KEY`: one per purpose and secret of the installation, derived once at startup.

use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;

use super::derived_key;
use crate::config::SecretKey;

/// The purpose of a derived key.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    RefreshTokens,
    SessionCookies,
    OneTimeTokens,
    DeviceCookies,
    /// Fingerprints of password hashes in device cookies.
    DevicePrints,
    Challenges,
    /// Keys of attempt counters.
    Attempts,
}

impl Purpose {
    /// All purposes, at the index of their discriminant. A new one does not compile until it is listed here.
    const ALL: [Self; Self::Attempts as usize + 1] = [
        Self::RefreshTokens,
        Self::SessionCookies,
        Self::OneTimeTokens,
        Self::DeviceCookies,
        Self::DevicePrints,
        Self::Challenges,
        Self::Attempts,
    ];

    /// Returns the label that a key is derived with. Changing it would invalidate everything made with the key.
    fn label(self) -> &'static str {
        match self {
            Self::RefreshTokens => "refresh tokens",
            Self::SessionCookies => "session cookies",
            Self::OneTimeTokens => "one-time tokens",
            Self::DeviceCookies => "device cookies",
            Self::DevicePrints => "prints of passwords in device cookies",
            Self::Challenges => "challenges",
            Self::Attempts => "attempts",
        }
    }
}

/// The derived keys of the installation. The code that uses them is next to each kind of secret, for example
/// `session_secret.rs` for sessions.
pub(crate) struct Keys(Vec<[Hmac<Sha256>; Purpose::ALL.len()]>);

impl Keys {
    /// Derives all keys. `secrets` begins with the current one.
    pub(crate) fn new(secrets: &[SecretKey]) -> Self {
        let derive = |secret: &SecretKey, purpose: Purpose| {
            Hmac::new_from_slice(derived_key(secret, purpose.label()).as_slice()).expect("any length will do")
        };
        Self(secrets.iter().map(|secret| Purpose::ALL.map(|purpose| derive(secret, purpose))).collect())
    }

    /// Returns the current key, which makes new secrets.
    pub(super) fn present(&self, purpose: Purpose) -> &Hmac<Sha256> {
        self.all(purpose).next().expect("there is a present key")
    }

    /// Returns the current key and the earlier ones, which verify existing secrets.
    pub(super) fn all(&self, purpose: Purpose) -> impl Iterator<Item = &Hmac<Sha256>> {
        self.0.iter().map(move |keys| &keys[purpose as usize])
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use hmac::Mac as _;

    use super::*;
    use crate::secrets::generate_secret_key;

    #[test]
    fn each_purpose_and_secret_has_a_key_of_its_own() {
        let keys = Keys::new(&[generate_secret_key(), generate_secret_key()]);
        let tags = Purpose::ALL.into_iter().flat_map(|purpose| keys.all(purpose));
        let tags: BTreeSet<Vec<u8>> = tags.map(|key| key.clone().finalize().into_bytes().to_vec()).collect();
        assert_eq!(tags.len(), 14);
        for (place, purpose) in Purpose::ALL.into_iter().enumerate() {
            assert_eq!(purpose as usize, place);
        }
    }
}
