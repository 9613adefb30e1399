//! The keys that `SECRET_KEY` gives: one for each purpose and each secret of the installation, derived once at the start.

use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;

use super::derived_key;
use crate::config::SecretKey;

/// What a derived key is for.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    RefreshTokens,
    SessionCookies,
    OneTimeTokens,
    DeviceCookies,
    /// Prints of passwords in device cookies.
    DevicePrints,
    Challenges,
    /// Under which keys attempts are counted.
    Attempts,
}

impl Purpose {
    /// As many as there are, and each at its own number: one more does not compile before it stands here.
    const ALL: [Self; Self::Attempts as usize + 1] = [
        Self::RefreshTokens,
        Self::SessionCookies,
        Self::OneTimeTokens,
        Self::DeviceCookies,
        Self::DevicePrints,
        Self::Challenges,
        Self::Attempts,
    ];

    /// The label that a key is derived by. Another one would make everything void that was made under it.
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

/// The derived keys of the installation. What is done with them stands where the secret is: a session's in `session_secret.rs`,
/// and so on.
pub(crate) struct Keys(Vec<[Hmac<Sha256>; Purpose::ALL.len()]>);

impl Keys {
    /// `secrets` begins with the present one.
    pub(crate) fn new(secrets: &[SecretKey]) -> Self {
        let derive = |secret: &SecretKey, purpose: Purpose| {
            Hmac::new_from_slice(derived_key(secret, purpose.label()).as_slice()).expect("any length will do")
        };
        Self(secrets.iter().map(|secret| Purpose::ALL.map(|purpose| derive(secret, purpose))).collect())
    }

    /// The key that makes what is new.
    pub(super) fn present(&self, purpose: Purpose) -> &Hmac<Sha256> {
        self.all(purpose).next().expect("there is a present key")
    }

    /// The present key and the earlier ones, which still know what was made under them.
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
