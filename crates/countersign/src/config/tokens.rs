//! Access tokens as other services see them: issuer, audience, signing algorithm and introspection.

use super::SecretKey;
use crate::model::SigningAlgorithm;

/// The `client_id` of every access token (RFC 9068, section 2.2): clients of the password login are the site's own, and need no
/// registration.
pub const FIRST_PARTY_CLIENT: &str = "first-party";

/// What a host configures about access tokens; their lifetime is in [`SessionPolicy`](super::SessionPolicy).
#[derive(Clone)]
#[non_exhaustive]
pub struct TokenPolicy {
    /// The algorithm that signs access tokens.
    pub signing_algorithm: SigningAlgorithm,
    /// The `iss` claim of access tokens, usually the site's own URL.
    pub issuer: String,
    /// The `aud` claim of access tokens, if it differs from the default of [`TokenPolicy::audience`].
    pub audience: Option<String>,
    /// The secret with which other services introspect tokens; `None` turns introspection off.
    pub introspection_secret: Option<SecretKey>,
}

impl TokenPolicy {
    /// Makes a policy with this issuer, the secret key itself as the signing key, and no introspection.
    pub fn new(issuer: String) -> Self {
        Self { signing_algorithm: SigningAlgorithm::default(), issuer, audience: None, introspection_secret: None }
    }

    /// Returns the `aud` claim of access tokens: the configured one, or else the issuer. With HS256 there is no default: other
    /// services cannot verify such tokens, but a program that shares the secret key can, and libraries reject an `aud` that they do
    /// not expect.
    pub fn audience(&self) -> Option<&str> {
        let default = match self.signing_algorithm {
            SigningAlgorithm::Hs256 => None,
            SigningAlgorithm::EdDsa | SigningAlgorithm::Es256 | SigningAlgorithm::Rs256 => Some(self.issuer.as_str()),
        };
        self.audience.as_deref().or(default)
    }
}
