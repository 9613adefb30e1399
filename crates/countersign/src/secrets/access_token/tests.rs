//! Which access tokens are accepted.

use super::*;
use crate::secrets::generate_secret_key;

const ISSUER: &str = "https://a";

fn instant(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn policy() -> TokenPolicy {
    TokenPolicy::new(ISSUER.to_owned())
}

fn ring(key: TokenKey) -> Keyring {
    ring_with(key, policy())
}

/// As `ring`, with this policy and the key's algorithm.
fn ring_with(key: TokenKey, policy: TokenPolicy) -> Keyring {
    let kid = key.kid.clone();
    let policy = TokenPolicy { signing_algorithm: key.algorithm, ..policy };
    Keyring::new(&policy, vec![key], &kid, 10).unwrap()
}

fn bearer() -> Bearer {
    Bearer {
        user: UserId::new(instant(1_000)),
        session: SessionId::new(instant(1_000)),
        authenticated_at: instant(990),
    }
}

fn keys() -> Vec<TokenKey> {
    let mut keys = vec![TokenKey::of_secret(&generate_secret_key(), &policy())];
    for algorithm in [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256, SigningAlgorithm::Rs256] {
        keys.push(TokenKey::of_der(algorithm.as_str(), algorithm, &generate_der(algorithm), &policy()).unwrap());
    }
    keys
}

#[test]
fn a_token_of_every_algorithm_is_believed_until_it_expires_and_by_its_own_key_alone() {
    for (key, other) in keys().into_iter().zip(keys()) {
        let (bearer, algorithm) = (bearer(), key.algorithm);
        let ring = ring(key);
        let token = ring.sign(bearer, Methods::PASSWORD, instant(1_000), instant(1_060)).unwrap();
        assert_eq!(ring.verify(&token, instant(1_059)), Verdict::Accepted(bearer), "{algorithm:?}");
        assert_eq!(ring.verify(&token, instant(1_060)), Verdict::Refused, "{algorithm:?}");
        // Issued by a clock one minute ahead, and by one further ahead.
        assert_eq!(ring.verify(&token, instant(940)), Verdict::Accepted(bearer), "{algorithm:?}");
        assert_eq!(ring.verify(&token, instant(939)), Verdict::Refused, "{algorithm:?}");
        // The same `kid` with another key.
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
    let ring = ring(TokenKey::of_secret(&secret, &policy()));
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
    assert!(matches!(ring.verify(&sign(&usual, &good), instant(1_000)), Verdict::Accepted(_)));
    let unkeyed = Header { kid: None, ..usual.clone() };
    let critical =
        |crit: &[&str]| Header { crit: Some(crit.iter().map(|name| (*name).to_owned()).collect()), ..usual.clone() };
    for (what, token) in [
        ("another type", sign(&header(Algorithm::HS256, "JWT", kid), &good)),
        ("no type", sign(&Header { typ: None, ..usual.clone() }, &good)),
        ("another algorithm", sign(&header(Algorithm::HS512, TYPE, kid), &good)),
        ("no kid", sign(&unkeyed, &good)),
        ("another secret's kid", sign(&header(Algorithm::HS256, TYPE, "hs-0000000000000000"), &good)),
        ("issued in the future", sign(&usual, &claims(bearer(), 1_100, 1_200))),
        ("not valid before a time in the future", sign(&usual, &with("nbf", 1_061.into()))),
        ("not valid before something that is no time", sign(&usual, &with("nbf", "soon".into()))),
        ("something critical", sign(&critical(&["exp"]), &good)),
        ("nothing critical, said to be so", sign(&critical(&[]), &good)),
        ("for another audience", sign(&usual, &with("aud", "https://b".into()))),
        ("for other audiences", sign(&usual, &with("aud", serde_json::json!(["https://b", "https://c"])))),
        ("for nobody", sign(&usual, &with("aud", serde_json::json!([])))),
        ("for something that is no audience", sign(&usual, &with("aud", 1.into()))),
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
fn a_token_counts_from_its_nbf_on_also_when_it_is_remembered() {
    let ring = ring(TokenKey::of_secret(&generate_secret_key(), &policy()));
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(ring.keys[0].kid.clone());
    let (issued_at, not_before, expires_at) = (1_000, 1_100, 1_200);
    let mut claims = claims(bearer(), issued_at, expires_at);
    claims["nbf"] = not_before.into();
    let token = jsonwebtoken::encode(&header, &claims, &ring.keys[0].encoding).unwrap();
    let is_believed = |now| matches!(ring.verify(&token, instant(now)), Verdict::Accepted(_));
    // The first round is not cached, the second is. A clock that is one minute behind is accepted.
    for round in [1, 2] {
        assert!(!is_believed(1_039), "round {round}");
        assert!(is_believed(1_040) && is_believed(1_199), "round {round}");
        assert!(!is_believed(1_200), "round {round}");
    }
    // An `nbf` in the past changes nothing.
    claims["nbf"] = 10.into();
    let token = jsonwebtoken::encode(&header, &claims, &ring.keys[0].encoding).unwrap();
    assert_eq!(ring.verify(&token, instant(939)), Verdict::Refused);
    assert!(matches!(ring.verify(&token, instant(940)), Verdict::Accepted(_)));
}

fn claims_of(token: &str) -> serde_json::Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn a_token_says_whom_it_is_for_where_others_can_verify_it_or_where_that_is_set() {
    for key in keys() {
        let expected = if key.algorithm == SigningAlgorithm::Hs256 { None } else { Some(ISSUER) };
        let algorithm = key.algorithm;
        let claims = claims_of(&ring(key).sign(bearer(), Methods::PASSWORD, instant(1_000), instant(1_060)).unwrap());
        assert_eq!(claims.get("aud").and_then(|audience| audience.as_str()), expected, "{algorithm:?}");
        assert_eq!(claims["client_id"], "first-party", "{algorithm:?}");
        assert_eq!(claims.get("nbf"), None, "{algorithm:?}");
    }
    for key in keys() {
        let ring = ring_with(key, TokenPolicy { audience: Some("https://api.a".to_owned()), ..policy() });
        let token = ring.sign(bearer(), Methods::PASSWORD, instant(1_000), instant(1_060)).unwrap();
        assert_eq!(claims_of(&token)["aud"], "https://api.a");
        assert_eq!(ring.verify(&token, instant(1_000)), Verdict::Accepted(bearer_of(&token)));
    }
}

fn bearer_of(token: &str) -> Bearer {
    let claims = claims_of(token);
    let id = |claim: &str| claims[claim].as_str().unwrap().to_owned();
    Bearer { user: id("sub").parse().unwrap(), session: id("sid").parse().unwrap(), authenticated_at: instant(990) }
}

#[test]
fn a_token_for_several_is_ours_if_we_are_among_them_and_one_of_before_there_were_audiences_too() {
    let secret = generate_secret_key();
    let with_audience = TokenPolicy { audience: Some("https://api.a".to_owned()), ..policy() };
    let ring = ring_with(TokenKey::of_secret(&secret, &with_audience), with_audience);
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some(TYPE.to_owned());
    header.kid = Some(ring.keys[0].kid.clone());
    for audience in [
        serde_json::json!("https://api.a"),
        serde_json::json!(["https://b", "https://api.a"]),
        // Valid without the setting too, so that instances can be configured one at a time.
        serde_json::json!(ISSUER),
        serde_json::Value::Null,
    ] {
        let mut claims = claims(bearer(), 1_000, 1_060);
        if audience != serde_json::Value::Null {
            claims["aud"] = audience.clone();
        }
        let token = jsonwebtoken::encode(&header, &claims, &ring.keys[0].encoding).unwrap();
        assert!(matches!(ring.verify(&token, instant(1_000)), Verdict::Accepted(_)), "{audience}");
    }
}

#[test]
fn the_longest_names_that_can_be_set_do_not_make_a_token_too_long() {
    let longest = "\u{10348}".repeat(200);
    let policy = TokenPolicy { audience: Some(longest.clone()), ..TokenPolicy::new(longest) };
    let algorithm = SigningAlgorithm::Rs256;
    let kid = crate::secrets::random_uuid_v7(instant(1_000)).simple().to_string();
    let key = TokenKey::of_der(&kid, algorithm, &generate_der(algorithm), &policy).unwrap();
    let ring = ring_with(key, policy);
    let token = ring.sign(bearer(), Methods::PASSWORD, instant(1_000), instant(1_060)).unwrap();
    assert!(matches!(ring.verify(&token, instant(1_000)), Verdict::Accepted(_)), "{} bytes", token.len());
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    let der = generate_der(SigningAlgorithm::EdDsa);
    let ring = ring(TokenKey::of_der("k", SigningAlgorithm::EdDsa, &der, &policy()).unwrap());
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
