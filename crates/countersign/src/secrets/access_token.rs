//! Decides what an access token says and which ones are believed (RFC 9068 in form, HS256, RFC 7515).

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::config::SecretKey;
use crate::model::{SessionId, UserId};

/// The header's `typ` (RFC 9068, section 2.1): no other token signed by the same key passes for an access token.
const TYPE: &str = "at+jwt";
/// How far another instance's clock may be ahead when it issues a token. Expiry has no such grace.
const CLOCK_LEEWAY: SignedDuration = SignedDuration::from_secs(60);
/// Ours have about 350 bytes; nothing longer is decoded.
const TOKEN_BYTES_MAX: usize = 2_048;

/// Signs and verifies with one key.
pub(crate) struct AccessTokens {
    signing: EncodingKey,
    verifying: DecodingKey,
    validation: Validation,
    issuer: String,
}

/// What a believed token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
    jti: String,
}

impl AccessTokens {
    pub(crate) fn new(key: &SecretKey, issuer: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["iss", "sub", "exp"]);
        // Time is compared here, against the injected clock.
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self {
            signing: EncodingKey::from_secret(key.expose().as_bytes()),
            verifying: DecodingKey::from_secret(key.expose().as_bytes()),
            validation,
            issuer: issuer.to_owned(),
        }
    }

    /// A signed token for a session.
    pub(crate) fn sign(
        &self,
        bearer: Bearer,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some(TYPE.to_owned());
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: bearer.user.to_string(),
            sid: bearer.session.to_string(),
            iat: now.as_second(),
            exp: expires_at.as_second(),
            jti: super::random_uuid_v7(now).to_string(),
        };
        jsonwebtoken::encode(&header, &claims, &self.signing)
    }

    /// What the token says, if it is ours and in time.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Option<Bearer> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let token = jsonwebtoken::decode::<Claims>(token, &self.verifying, &self.validation).ok()?;
        let in_time = now.as_second() < token.claims.exp
            && token.claims.iat <= now.as_second().saturating_add(CLOCK_LEEWAY.as_secs());
        if token.header.typ.as_deref() != Some(TYPE) || !in_time {
            return None;
        }
        Some(Bearer { user: token.claims.sub.parse().ok()?, session: token.claims.sid.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(issuer: &str) -> AccessTokens {
        let key = SecretKey::parse("7f3c9a1e5b2d8c4f6a0e9b7d3c5f1a8e2d4b6c80".to_owned()).unwrap();
        AccessTokens::new(&key, issuer)
    }

    fn claims(bearer: Bearer, iat: i64, exp: i64) -> Claims {
        Claims {
            iss: "https://a".to_owned(),
            sub: bearer.user.to_string(),
            sid: bearer.session.to_string(),
            iat,
            exp,
            jti: "x".to_owned(),
        }
    }

    #[test]
    fn a_token_is_believed_until_it_expires_and_by_its_own_issuer() {
        let now = Timestamp::from_second(1_000).unwrap();
        let bearer = Bearer { user: UserId::new(now), session: SessionId::new(now) };
        let token = tokens("https://a").sign(bearer, now, Timestamp::from_second(1_060).unwrap()).unwrap();

        assert_eq!(tokens("https://a").verify(&token, Timestamp::from_second(1_059).unwrap()), Some(bearer));
        assert_eq!(tokens("https://a").verify(&token, Timestamp::from_second(1_060).unwrap()), None);
        assert_eq!(tokens("https://b").verify(&token, now), None);
        let other = AccessTokens::new(&crate::secrets::generate_secret_key(), "https://a");
        assert_eq!(other.verify(&token, now), None);
    }

    #[test]
    fn forged_headers_and_claims_are_refused() {
        let now = Timestamp::from_second(1_000).unwrap();
        let bearer = Bearer { user: UserId::new(now), session: SessionId::new(now) };
        let tokens = tokens("https://a");
        let sign = |header: &Header, claims: &Claims| jsonwebtoken::encode(header, claims, &tokens.signing).unwrap();
        let typed = |algorithm, typ: &str| {
            let mut header = Header::new(algorithm);
            header.typ = Some(typ.to_owned());
            header
        };
        let good = claims(bearer, 1_000, 1_060);

        assert!(tokens.verify(&sign(&typed(Algorithm::HS256, TYPE), &good), now).is_some());
        for (what, token) in [
            ("another type", sign(&typed(Algorithm::HS256, "JWT"), &good)),
            ("another algorithm", sign(&typed(Algorithm::HS512, TYPE), &good)),
            ("issued in the future", sign(&typed(Algorithm::HS256, TYPE), &claims(bearer, 1_100, 1_200))),
            ("no signature", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.".to_owned()),
            ("not a token", "a.b.c".to_owned()),
            ("too long", "a".repeat(10_000)),
        ] {
            assert!(tokens.verify(&token, now).is_none(), "{what}");
        }
    }
}
