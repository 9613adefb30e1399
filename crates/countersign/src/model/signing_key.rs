//! Signing keys of access tokens: their algorithms and states.

use std::fmt;

use jiff::Timestamp;

/// A signature algorithm of access tokens (RFC 7518, section 3.1; RFC 8037).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SigningAlgorithm {
    /// HMAC with SHA-256 under `SECRET_KEY` itself. Verifiers need the same key and could sign with it.
    #[default]
    Hs256,
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256.
    Es256,
    /// RSA of 2,048 bits, PKCS #1 v1.5.
    Rs256,
}

impl SigningAlgorithm {
    /// Returns the name in a token's header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Returns the algorithm of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Hs256, Self::EdDsa, Self::Es256, Self::Rs256].into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A signing key in the database, without its key material.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SigningKey {
    /// The `kid` of the tokens that it signs.
    pub kid: String,
    /// The algorithm.
    pub algorithm: SigningAlgorithm,
    /// When it was created and published.
    pub created_at: Timestamp,
    /// When it starts to sign.
    pub active_from: Timestamp,
    /// Its current state.
    pub state: SigningKeyState,
}

/// The state of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningKeyState {
    /// It is published, and will sign from `active_from` on.
    Published,
    /// It signs.
    Signing,
    /// A later key signs. Tokens of this one are still valid.
    Superseded,
    /// Its last token has expired.
    Expired,
    /// It was retired, and its tokens are refused.
    Retired,
}

impl SigningKeyState {
    /// Whether tokens signed by it are accepted.
    pub fn verifies(self) -> bool {
        matches!(self, Self::Published | Self::Signing | Self::Superseded)
    }
}

/// An encrypted secret as stored: nonce, then ciphertext and tag.
#[derive(Clone)]
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    /// The id of the `SECRET_KEY` that decrypts it.
    pub(crate) by: String,
}
