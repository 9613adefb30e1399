//! Access tokens before other services: who vouches for them, by which algorithm, and who may ask about them.

use super::SecretKey;
use crate::model::SigningAlgorithm;

/// What a host chooses about access tokens; how long they are valid is in [`SessionPolicy`](super::SessionPolicy).
#[derive(Clone)]
pub struct TokenPolicy {
    /// What signs access tokens.
    pub signing_algorithm: SigningAlgorithm,
    /// The `iss` claim of access tokens: who vouches for them, usually the site's own address.
    pub issuer: String,
    /// What other services ask about tokens with; without it none may.
    pub introspection_secret: Option<SecretKey>,
}

impl TokenPolicy {
    /// Tokens of this issuer, signed by the secret key itself, which no other service may ask about.
    pub fn new(issuer: String) -> Self {
        Self { signing_algorithm: SigningAlgorithm::default(), issuer, introspection_secret: None }
    }
}
