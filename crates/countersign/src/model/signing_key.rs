//! Keys that sign access tokens: their algorithms and states.

use std::fmt;

use jiff::Timestamp;

/// An algorithm that signs access tokens (RFC 7518, section 3.1; RFC 8037).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// HMAC with SHA-256 under `SECRET_KEY` itself: whoever can verify can sign.
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
    /// The name in a token's header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Hs256, Self::EdDsa, Self::Es256, Self::Rs256].into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A key that is kept in the database, without the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    /// The `kid` of tokens that it signs.
    pub kid: String,
    /// What it signs with.
    pub algorithm: SigningAlgorithm,
    /// When it was made, and published.
    pub created_at: Timestamp,
    /// From when on it is used.
    pub active_from: Timestamp,
    /// What it is good for now.
    pub state: SigningKeyState,
}

/// What a signing key is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningKeyState {
    /// Verifiers can see it already; it will sign from `active_from` on.
    Published,
    /// It signs.
    Signing,
    /// A later one signs; tokens of this one are still valid.
    Superseded,
    /// Its last token has expired.
    Expired,
    /// It was withdrawn; its tokens are refused.
    Retired,
}

impl SigningKeyState {
    /// Whether tokens that it signed are believed.
    pub fn verifies(self) -> bool {
        matches!(self, Self::Published | Self::Signing | Self::Superseded)
    }
}

/// A secret as it is stored: nonce, then ciphertext and tag.
#[derive(Clone)]
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    /// A name for the `SECRET_KEY` that opens it.
    pub(crate) by: String,
}
