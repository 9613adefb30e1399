//! Signs and verifies access tokens (in the form of RFC 9068; RFC 7515, 7518 and 7519).

use std::slice;
use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use foldhash::quality::RandomState;
use jiff::Timestamp;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::sealing::key_id;
use crate::config::{FIRST_PARTY_CLIENT, SecretKey, TokenPolicy};
use crate::model::{CLOCKS_APART_MAX, Method, Methods, SessionId, SigningAlgorithm, UserId};

/// The header's `typ` (RFC 9068, section 2.1): no other token signed with the same key passes as an access token.
const TYPE: &str = "at+jwt";
/// Prefix of the `kid` that names `SECRET_KEY`.
const SECRET_KID: &str = "hs-";
/// Longer tokens are refused without decoding. Ours have 500 to 900 bytes, or up to 3,000 with RS256 and the longest
/// issuer and audience that the server's settings allow.
const TOKEN_BYTES_MAX: usize = 4_096;

/// A key that signs or verifies tokens, or both.
pub(crate) struct TokenKey {
    kid: String,
    algorithm: SigningAlgorithm,
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    /// The public key, unless the algorithm is symmetric.
    jwk: Option<Jwk>,
}

/// All keys of an instance. A token names its key by `kid`, and the key alone determines the verification algorithm.
pub(crate) struct Keyring {
    issuer: String,
    audience: Option<String>,
    keys: Vec<TokenKey>,
    /// Index of the signing key.
    signing: usize,
    /// Cache of tokens whose signature was verified, by their full text. Their times are checked on every use.
    checked: Option<Cache<Box<str>, Checked, UnitWeighter, RandomState>>,
}

/// The claims of a token with a valid signature.
#[derive(Clone, Copy)]
struct Checked {
    bearer: Bearer,
    /// When it was issued, or its `nbf` if that is later.
    begins_at: i64,
    expires_at: i64,
}

impl Checked {
    fn verdict(self, now: Timestamp) -> Verdict {
        // The clock of the issuing instance may be ahead. Expiry has no such tolerance.
        let begun = self.begins_at <= now.as_second().saturating_add(CLOCKS_APART_MAX.as_secs());
        if begun && now.as_second() < self.expires_at { Verdict::Accepted(self.bearer) } else { Verdict::Refused }
    }
}

/// The keyring as it was last loaded.
#[derive(Clone)]
pub(crate) struct LoadedKeyring {
    pub(crate) keyring: Arc<Keyring>,
    /// `None` if it was never loaded from the database.
    pub(crate) loaded_at: Option<Timestamp>,
}

/// State of keyring reloads. One request at a time reloads the keyring.
#[derive(Default)]
pub(crate) struct KeyLookup {
    /// When the last reload for an unknown key began; its request may have been cancelled since.
    pub(crate) begun_at: Option<Instant>,
    /// When the last successful reload began.
    pub(crate) read_at: Option<Instant>,
    /// When the last failed reload began.
    pub(crate) failed_at: Option<Instant>,
}

impl KeyLookup {
    /// Returns whether a reload, successful or not, has begun since `asked_at`.
    pub(crate) fn is_answered(&self, asked_at: Instant) -> bool {
        self.read_at.max(self.failed_at).is_some_and(|begun_at| begun_at >= asked_at)
    }
}

/// The content of a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bearer {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
    /// When the user last authenticated before the token was issued, to the second.
    pub(crate) authenticated_at: Timestamp,
}

/// The result of verifying a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted(Bearer),
    Refused,
    /// The token names a key that is not in the keyring; another instance may have created it.
    UnknownKey,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
    jti: String,
    /// Tokens of earlier versions have neither `aud` nor `client_id`, and HS256 tokens have no `aud` unless it is
    /// configured (RFC 9068, section 2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Audience>,
    #[serde(default, skip_deserializing)]
    client_id: &'static str,
    /// Absent from our tokens, but another program that signs with our keys may set it (RFC 7519, section 4.1.5).
    #[serde(skip_serializing)]
    nbf: Option<i64>,
    /// From RFC 9068, section 2.2.1, as are the next two. Tokens of earlier versions have none of them.
    auth_time: Option<i64>,
    #[serde(default, skip_deserializing)]
    acr: &'static str,
    #[serde(default, skip_deserializing)]
    amr: Vec<&'static str>,
}

/// A list of names, serialized as a string if there is only one (RFC 7519, section 4.1.3).
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn names(&self) -> &[String] {
        match self {
            Self::One(name) => slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

impl TokenKey {
    /// Creates the HS256 key, which is `SECRET_KEY` itself.
    pub(crate) fn of_secret(key: &SecretKey, policy: &TokenPolicy) -> Self {
        let bytes = key.expose().as_bytes();
        Self {
            kid: format!("{SECRET_KID}{}", key_id(key)),
            algorithm: SigningAlgorithm::Hs256,
            encoding: EncodingKey::from_secret(bytes),
            decoding: DecodingKey::from_secret(bytes),
            validation: validation(Algorithm::HS256, policy),
            jwk: None,
        }
    }

    /// Creates a key from its stored form. `None` if the bytes are not a key of this algorithm.
    pub(crate) fn of_der(kid: &str, algorithm: SigningAlgorithm, der: &[u8], policy: &TokenPolicy) -> Option<Self> {
        let encoding = match algorithm {
            SigningAlgorithm::Hs256 => return None,
            SigningAlgorithm::EdDsa => EncodingKey::from_ed_der(der),
            SigningAlgorithm::Es256 => EncodingKey::from_ec_der(der),
            SigningAlgorithm::Rs256 => EncodingKey::from_rsa_der(der),
        };
        let mut jwk = Jwk::from_encoding_key(&encoding, jwt_algorithm(algorithm)).ok()?;
        jwk.common.key_id = Some(kid.to_owned());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Some(Self {
            kid: kid.to_owned(),
            algorithm,
            decoding: DecodingKey::from_jwk(&jwk).ok()?,
            validation: validation(jwt_algorithm(algorithm), policy),
            encoding,
            jwk: Some(jwk),
        })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }
}

fn jwt_algorithm(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Hs256 => Algorithm::HS256,
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::Rs256 => Algorithm::RS256,
    }
}

fn validation(algorithm: Algorithm, policy: &TokenPolicy) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[&policy.issuer]);
    validation.set_required_spec_claims(&["iss", "sub", "exp"]);
    // Times are checked in this file against the injected clock. The audience too, because `jsonwebtoken` accepts an
    // `aud` that it cannot parse.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

/// Generates a private key in the form that [`TokenKey::of_der`] reads: PKCS #8 version 1, or PKCS #1 for RSA.
///
/// # Panics
/// For HS256, which has no key pair, and if the operating system provides no randomness.
pub(crate) fn generate_der(algorithm: SigningAlgorithm) -> Zeroizing<Vec<u8>> {
    let der = match algorithm {
        SigningAlgorithm::Hs256 => panic!("the key of HS256 is SECRET_KEY"),
        SigningAlgorithm::EdDsa => {
            let pair = Ed25519KeyPair::generate().expect("the operating system gives random bytes");
            pair.to_pkcs8v1().expect("a key can be written").as_ref().to_vec()
        }
        SigningAlgorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
            let pair = pair.expect("the operating system gives random bytes");
            pair.to_pkcs8v1().expect("a key can be written").as_ref().to_vec()
        }
        SigningAlgorithm::Rs256 => {
            let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048);
            let pair = pair.expect("the operating system gives random bytes");
            let pkcs8: Pkcs8V1Der<'_> = pair.as_der().expect("a key can be written");
            pkcs1(pkcs8.as_ref()).expect("RSA in PKCS #8 contains PKCS #1").to_vec()
        }
    };
    Zeroizing::new(der)
}

/// Returns the octet string at the end of a PKCS #8 structure for RSA (RFC 5208, section 5; RFC 8017, appendix A.1).
/// The bytes before it are the same for all keys of this size.
fn pkcs1(pkcs8: &[u8]) -> Option<&[u8]> {
    const OCTET_STRING_AT: usize = 22;
    let rest = pkcs8.get(OCTET_STRING_AT..)?.strip_prefix(&[0x04, 0x82])?;
    let (length, content) = rest.split_first_chunk::<2>()?;
    (usize::from(u16::from_be_bytes(*length)) == content.len()).then_some(content)
}

impl Keyring {
    /// Creates a keyring of `keys` that signs with the key `signing_kid`; `None` if it is not among them. Caches up to
    /// `remembered_max` tokens until the keyring is replaced.
    pub(crate) fn new(
        policy: &TokenPolicy,
        keys: Vec<TokenKey>,
        signing_kid: &str,
        remembered_max: usize,
    ) -> Option<Self> {
        let signing = keys.iter().position(|key| key.kid == signing_kid)?;
        let checked = (remembered_max > 0).then(|| {
            let weight_max = remembered_max as u64;
            Cache::with(remembered_max, weight_max, UnitWeighter, RandomState::default(), DefaultLifecycle::default())
        });
        let audience = policy.audience().map(str::to_owned);
        Some(Self { issuer: policy.issuer.clone(), audience, keys, signing, checked })
    }

    /// Returns whether any key is from the database, where it can be withdrawn.
    pub(crate) fn has_stored_keys(&self) -> bool {
        self.keys.iter().any(|key| key.algorithm != SigningAlgorithm::Hs256)
    }

    /// Signs a token for a session.
    pub(crate) fn sign(
        &self,
        bearer: Bearer,
        methods: Methods,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let key = &self.keys[self.signing];
        let mut header = Header::new(jwt_algorithm(key.algorithm));
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.kid.clone());
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: bearer.user.to_string(),
            sid: bearer.session.to_string(),
            iat: now.as_second(),
            exp: expires_at.as_second(),
            jti: super::random_uuid_v7(now).to_string(),
            aud: self.audience.clone().map(Audience::One),
            client_id: FIRST_PARTY_CLIENT,
            nbf: None,
            auth_time: Some(bearer.authenticated_at.as_second()),
            acr: methods.strength().as_str(),
            amr: methods.iter().map(Method::as_str).collect(),
        };
        jsonwebtoken::encode(&header, &claims, &key.encoding)
    }

    /// Verifies a token: its signature, issuer, audience and times.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Verdict {
        if token.len() > TOKEN_BYTES_MAX {
            return Verdict::Refused;
        }
        if let Some(checked) = self.checked.as_ref().and_then(|checked| checked.get(token)) {
            return checked.verdict(now);
        }
        // `crit` lists extensions that the verifier must understand, and we support none (RFC 7515, section 4.1.11).
        let Ok(Header { kid: Some(kid), typ: Some(typ), crit: None, .. }) = jsonwebtoken::decode_header(token) else {
            return Verdict::Refused;
        };
        if typ != TYPE {
            return Verdict::Refused;
        }
        let Some(key) = self.keys.iter().find(|key| key.kid == kid) else {
            // Only keys from the database can have been added since.
            return if kid.starts_with(SECRET_KID) { Verdict::Refused } else { Verdict::UnknownKey };
        };
        let Ok(decoded) = jsonwebtoken::decode::<Claims>(token, &key.decoding, &key.validation) else {
            return Verdict::Refused;
        };
        let claims = decoded.claims;
        if claims.aud.is_some_and(|audience| !audience.names().iter().any(|name| self.is_audience(name))) {
            return Verdict::Refused;
        }
        let authenticated_at = Timestamp::from_second(claims.auth_time.unwrap_or(claims.iat));
        let (Ok(user), Ok(session), Ok(authenticated_at)) = (claims.sub.parse(), claims.sid.parse(), authenticated_at)
        else {
            return Verdict::Refused;
        };
        let bearer = Bearer { user, session, authenticated_at };
        let begins_at = claims.nbf.map_or(claims.iat, |not_before| not_before.max(claims.iat));
        let checked = Checked { bearer, begins_at, expires_at: claims.exp };
        let verdict = checked.verdict(now);
        if let Some(remembered) = self.checked.as_ref().filter(|_| verdict != Verdict::Refused) {
            remembered.insert(token.into(), checked);
        }
        verdict
    }

    /// Returns whether an `aud` with this name addresses us. The issuer's name always does, because tokens from before
    /// a change of algorithm or audience contain it.
    fn is_audience(&self, name: &str) -> bool {
        name == self.issuer || self.audience.as_deref() == Some(name)
    }

    /// Returns the public keys (RFC 7517, section 5), for services that verify tokens themselves.
    pub(crate) fn jwks(&self) -> Vec<serde_json::Value> {
        let jwks = self.keys.iter().filter_map(|key| key.jwk.as_ref());
        jwks.map(|jwk| serde_json::to_value(jwk).expect("a key is JSON")).collect()
    }
}

#[cfg(test)]
mod tests;
