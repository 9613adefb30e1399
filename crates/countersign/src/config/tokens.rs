//! Access tokens before other services: who vouches for them, whom they are for, by which algorithm, and who may ask about them.

use super::SecretKey;
use crate::model::SigningAlgorithm;

/// The `client_id` of every access token (RFC 9068, section 2.2): what logs in by a password needs no registration here, and is the
/// site's own.
pub const FIRST_PARTY_CLIENT: &str = "first-party";

/// What a host chooses about access tokens; how long they are valid is in [`SessionPolicy`](super::SessionPolicy).
#[derive(Clone)]
pub struct TokenPolicy {
    /// What signs access tokens.
    pub signing_algorithm: SigningAlgorithm,
    /// The `iss` claim of access tokens: who vouches for them, usually the site's own address.
    pub issuer: String,
    /// The `aud` claim of access tokens, if it is another than [`TokenPolicy::audience`] says without it.
    pub audience: Option<String>,
    /// What other services ask about tokens with; without it none may.
    pub introspection_secret: Option<SecretKey>,
}

impl TokenPolicy {
    /// Tokens of this issuer, signed by the secret key itself, which no other service may ask about.
    pub fn new(issuer: String) -> Self {
        Self { signing_algorithm: SigningAlgorithm::default(), issuer, audience: None, introspection_secret: None }
    }

    /// The `aud` claim of access tokens: the one that is set, or else the issuer. With HS256 there is one only if it is set: no
    /// other service can verify such tokens, but a program that shares the secret key may, and libraries refuse an `aud` that they
    /// were not told of.
    pub fn audience(&self) -> Option<&str> {
        let default = match self.signing_algorithm {
            SigningAlgorithm::Hs256 => None,
            SigningAlgorithm::EdDsa | SigningAlgorithm::Es256 | SigningAlgorithm::Rs256 => Some(self.issuer.as_str()),
        };
        self.audience.as_deref().or(default)
    }
}
