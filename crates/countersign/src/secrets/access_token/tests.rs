//! Which access tokens are believed.

use super::*;
use crate::secrets::generate_secret_key;

const ISSUER: &str = "https://a";

fn instant(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn ring(key: TokenKey) -> Keyring {
    let kid = key.kid.clone();
    Keyring::new(ISSUER, vec![key], &kid, 10).unwrap()
}

fn bearer() -> Bearer {
    Bearer {
        user: UserId::new(instant(1_000)),
        session: SessionId::new(instant(1_000)),
        authenticated_at: instant(990),
    }
}

fn keys() -> Vec<TokenKey> {
    let mut keys = vec![TokenKey::of_secret(&generate_secret_key(), ISSUER)];
    for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
        keys.push(TokenKey::of_der(algorithm.as_str(), algorithm, &generate_der(algorithm), ISSUER).unwrap());
    }
    keys
}

#[test]
fn a_token_of_every_algorithm_is_believed_until_it_expires_and_by_its_own_key_alone() {
    for (key, other) in keys().into_iter().zip(keys()) {
        let (bearer, algorithm) = (bearer(), key.algorithm);
        let ring = ring(key);
        let token = ring.sign(bearer, Methods::PASSWORD, instant(1_000), instant(1_060)).unwrap();
        assert_eq!(ring.verify(&token, instant(1_059)), Verdict::Believed(bearer), "{algorithm:?}");
        assert_eq!(ring.verify(&token, instant(1_060)), Verdict::Refused, "{algorithm:?}");
        // Issued by a clock that is a minute ahead, and by one that is more.
        assert_eq!(ring.verify(&token, instant(940)), Verdict::Believed(bearer), "{algorithm:?}");
        assert_eq!(ring.verify(&token, instant(939)), Verdict::Refused, "{algorithm:?}");
        // The same name, another key.
        let impostor = TokenKey { kid: ring.keys[0].kid.clone(), ..other };
        assert_eq!(self::ring(impostor).verify(&token, instant(1_000)), Verdict::Refused, "{algorithm:?}");
        let elsewhere = if algorithm == SigningAlgorithm::Hs256 { Verdict::Refused } else { Verdict::UnknownKey };
        assert_eq!(self::ring(keys().remove(0)).verify(&token, instant(1_000)), elsewhere);
    }
}

#[test]
fn the_public_keys_are_public_and_that_of_hs256_is_none() {
    for key in keys() {
        let (kid, algorithm) = (key.kid.clone(), key.algorithm);
        let jwks = serde_json::Value::from(ring(key).jwks());
        if algorithm == SigningAlgorithm::Hs256 {
            assert_eq!(jwks, serde_json::json!([]));
            continue;
        }
        let names: Vec<&String> = jwks[0].as_object().unwrap().keys().collect();
        assert_eq!((&jwks[0]["kid"], &jwks[0]["alg"]), (&kid.into(), &algorithm.as_str().into()));
        assert_eq!(jwks[0]["use"], "sig");
        assert!(names.iter().all(|name| !["d", "p", "q", "k"].contains(&name.as_str())), "{names:?}");
    }
}

fn claims(bearer: Bearer, iat: i64, exp: i64) -> serde_json::Value {
    serde_json::json!({
        "iss": ISSUER, "sub": bearer.user.to_string(), "sid": bearer.session.to_string(),
        "iat": iat, "exp": exp, "jti": "x",
    })
}

#[test]
fn forged_headers_and_claims_are_refused() {
    let secret = generate_secret_key();
    let ring = ring(TokenKey::of_secret(&secret, ISSUER));
    let key = &ring.keys[0].encoding;
    let kid = ring.keys[0].kid.as_str();
    let sign = |header: &Header, claims: &serde_json::Value| jsonwebtoken::encode(header, claims, key).unwrap();
    let header = |algorithm, typ: &str, kid: &str| {
        let mut header = Header::new(algorithm);
        header.typ = Some(typ.to_owned());
        header.kid = Some(kid.to_owned());
        header
    };
    let usual = header(Algorithm::HS256, TYPE, kid);
    let good = claims(bearer(), 1_000, 1_060);
    let without = |claim: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(claim);
        claims
    };
    let with = |claim: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[claim] = value;
        claims
    };
    assert!(matches!(ring.verify(&sign(&usual, &good), instant(1_000)), Verdict::Believed(_)));
    let unkeyed = Header { kid: None, ..usual.clone() };
    for (what, token) in [
        ("another type", sign(&header(Algorithm::HS256, "JWT", kid), &good)),
        ("no type", sign(&Header { typ: None, ..usual.clone() }, &good)),
        ("another algorithm", sign(&header(Algorithm::HS512, TYPE, kid), &good)),
        ("no kid", sign(&unkeyed, &good)),
        ("another secret's kid", sign(&header(Algorithm::HS256, TYPE, "hs-0000000000000000"), &good)),
        ("issued in the future", sign(&usual, &claims(bearer(), 1_100, 1_200))),
        ("expired", sign(&usual, &claims(bearer(), 900, 1_000))),
        ("no exp", sign(&usual, &without("exp"))),
        ("no sub", sign(&usual, &without("sub"))),
        ("no sid", sign(&usual, &without("sid"))),
        ("another issuer", sign(&usual, &with("iss", "https://b".into()))),
        ("a sub that is no user id", sign(&usual, &with("sub", "1".into()))),
        ("no signature", "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.e30.".to_owned()),
        ("not a token", "a.b.c".to_owned()),
        ("too long", "a".repeat(10_000)),
    ] {
        assert_eq!(ring.verify(&token, instant(1_000)), Verdict::Refused, "{what}");
    }
    for injected in ["", "../../etc/passwd", "x' OR 1=1 --"] {
        let token = sign(&header(Algorithm::HS256, TYPE, injected), &good);
        assert_eq!(ring.verify(&token, instant(1_000)), Verdict::UnknownKey, "{injected}");
    }
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let der = generate_der(SigningAlgorithm::EdDsa);
    let ring = ring(TokenKey::of_der("k", SigningAlgorithm::EdDsa, &der, ISSUER).unwrap());
    let public = ring.jwks()[0]["x"].as_str().unwrap().to_owned();
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some("k".to_owned());
    for secret in [
        EncodingKey::from_secret(public.as_bytes()),
        EncodingKey::from_base64_secret(&public).unwrap_or_else(|_| EncodingKey::from_secret(b"x")),
    ] {
        let forged = jsonwebtoken::encode(&header, &claims(bearer(), 1_000, 1_060), &secret).unwrap();
        assert_eq!(ring.verify(&forged, instant(1_000)), Verdict::Refused);
    }
}
