use std::io;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::config::{LoginBy, Rate, SecretKey};
use countersign::model::SigningAlgorithm;
use countersign::operator::generate_secret_key;
use countersign::testing::{Answer, PASSWORD, TestApp};
use futures_util::stream;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::faults;

const TOKEN: &str = "/api/users/token";
const REVOKE: &str = "/api/users/token/revoke";
const INTROSPECT: &str = "/api/users/token/introspect";
const FORM: &str = "application/x-www-form-urlencoded";

#[tokio::test]
async fn a_login_answers_with_a_bearer_token_that_no_cache_keeps() {
    let app = TestApp::start().await;
    app.user("ada").await;
    for username in ["ada@example.com", "ADA@Example.COM"] {
        let answer = app.anonymous().log_in(username, PASSWORD).await;
        let body = answer.ok(200);
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("bearer"), &json!(1800)));
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert_eq!(body["access_token"].as_str().unwrap().split('.').count(), 3);
    }
}

/// Decodes the header and the claims.
fn parts(token: &str) -> [Value; 2] {
    let mut parts = token.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    [(); 2].map(|()| serde_json::from_slice(&parts.next().unwrap()).unwrap())
}

#[tokio::test]
async fn a_token_names_its_user_as_a_text_and_expires() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let parts = parts(ada.token().unwrap());
    assert_eq!(parts[0], json!({ "typ": "at+jwt", "alg": "HS256", "kid": parts[0]["kid"] }));
    assert!(parts[0]["kid"].as_str().unwrap().starts_with("hs-"));
    let now = app.clock.now().as_second();
    assert_eq!(parts[1]["sub"], ada.id.to_string());
    assert_eq!((&parts[1]["iat"], &parts[1]["exp"]), (&json!(now), &json!(now + 1800)));
    for claim in ["iss", "sid", "jti"] {
        assert!(parts[1][claim].is_string(), "{claim}");
    }
    // Existing verifiers of HS256 tokens expect no audience.
    assert_eq!((&parts[1]["client_id"], parts[1].get("aud")), (&json!("first-party"), None));
    app.clock.advance(SignedDuration::from_secs(1799));
    ada.get("/api/users/me").await.ok(200);
    app.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(ada.get("/api/users/me").await.problem(401, "invalid_token")["detail"], "Invalid or expired token");
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_answered_alike() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let mut answers = Vec::new();
    for (username, password) in [
        ("ada@example.com", "wrong password"),
        ("ada@example.com", &PASSWORD.to_uppercase()),
        ("ada@example.com", "short"),
        ("nobody@example.com", PASSWORD),
        ("ada", PASSWORD),
        ("no address", PASSWORD),
        (&"a".repeat(1_000), PASSWORD),
    ] {
        let answer = app.anonymous().log_in(username, password).await;
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert_eq!(answer.headers["content-type"], "application/json");
        let body = answer.problem(401, "wrong_credentials");
        assert_eq!((&body["detail"], &body["error"]), (&json!("Incorrect email or password"), &json!("invalid_grant")));
        answers.push((answer.body.clone(), answer.headers.clone()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[tokio::test]
async fn the_form_has_the_fields_of_oauth2() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let (name, password) = (("username", "ada@example.com"), ("password", PASSWORD));
    for extra in [
        vec![("grant_type", "password")],
        vec![("grant_type", ""), ("scope", "")],
        vec![("scope", "a b"), ("client_id", "x"), ("client_secret", "y"), ("unknown", "z")],
    ] {
        let pairs: Vec<_> = [name, password].into_iter().chain(extra).collect();
        app.anonymous().post_form(TOKEN, &pairs).await.ok(200);
    }
    for (pairs, expected, error) in [
        (vec![], vec!["missing body.username", "missing body.password"], "invalid_request"),
        (vec![name], vec!["missing body.password"], "invalid_request"),
        (vec![password], vec!["missing body.username"], "invalid_request"),
        (vec![("username", ""), password], vec!["missing body.username"], "invalid_request"),
        (
            vec![name, password, ("grant_type", "client_credentials")],
            vec!["string_pattern_mismatch body.grant_type"],
            "unsupported_grant_type",
        ),
        (vec![name, name, password], vec!["value_error body.username"], "invalid_request"),
        (vec![name, ("password", "a\0b")], vec!["value_error body.password"], "invalid_request"),
    ] {
        let body = app.anonymous().post_form(TOKEN, &pairs).await.problem(422, "invalid_fields");
        assert_eq!(faults(&body), expected, "{pairs:?}");
        assert_eq!(body["error"], error);
        assert!(body["error_description"].is_string());
    }
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused_by_its_type() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let json = json!({ "username": "ada@example.com", "password": PASSWORD }).to_string();
    let expected = "Expected application/x-www-form-urlencoded or multipart/form-data, not ";
    for (content_type, sent) in
        [("application/json", "application/json"), ("Application/X+JSON; a=b", "application/x+json")]
    {
        let body = app.anonymous().send("POST", TOKEN, content_type, json.clone()).await.ok(422);
        assert_eq!(faults(&body), ["missing body.username", "missing body.password"], "{content_type}");
        assert_eq!(body["detail"][0]["msg"], format!("{expected}{sent}"));
        assert_eq!(body["error"], "invalid_request");
    }
    let body = app.anonymous().send("POST", TOKEN, FORM, json).await.ok(422);
    assert_eq!(faults(&body), ["missing body.username", "missing body.password"]);
    assert_eq!(body["detail"][0]["msg"], "Field required");
    let form = "username=ada%40example.com&password=correct+horse+battery+staple";
    for (content_type, sent) in [("text/plain", "text/plain"), ("", "a body without Content-Type")] {
        let body = app.anonymous().send("POST", TOKEN, content_type, form).await.problem(415, "unsupported_media_type");
        assert_eq!((&body["detail"], &body["error"]), (&json!(format!("{expected}{sent}")), &json!("invalid_request")));
    }
    let empty = Request::post(TOKEN).body(Body::empty()).unwrap();
    let body = app.anonymous().send_request(empty).await.ok(422);
    assert_eq!(faults(&body), ["missing body.username", "missing body.password"]);
    for bytes in [&b"username=%ff&password=x"[..], &b"username=a&password=\xff\xfe"[..]] {
        let body = app.anonymous().send("POST", TOKEN, FORM, bytes.to_vec()).await.ok(422);
        assert_eq!(faults(&body), ["value_error body"]);
    }
    let body = app.anonymous().send("POST", TOKEN, FORM, format!("password={}", "a".repeat(65_536))).await;
    assert_eq!(body.problem(413, "payload_too_large")["error"], "invalid_request");
    let charset = "application/x-www-form-urlencoded; charset=utf-8";
    let body = "username=ada%40example.com&password=correct+horse+battery+staple";
    app.anonymous().send("POST", TOKEN, charset, body).await.ok(200);
}

/// Asserts an error response as OAuth clients expect it.
#[track_caller]
fn assert_oauth_error(answer: &Answer, status: u16, code: &str, error: &str) {
    let body = answer.problem(status, code);
    assert_eq!(answer.headers["content-type"], "application/json", "{body}");
    assert_eq!(body["error"], error, "{body}");
    assert!(body["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    assert_eq!(answer.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn every_error_of_the_oauth_endpoints_is_json_with_the_members_of_oauth() {
    let asker = generate_secret_key();
    let app = TestApp::with(|config| config.tokens.introspection_secret = Some(asker.clone())).await;
    app.user("ada").await;
    let tokens = app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let (stranger, service) = (app.anonymous(), app.bearer(Some(asker.expose().to_owned())));
    let large = || format!("token={}", "a".repeat(65_536));
    for (caller, path) in [(&stranger, TOKEN), (&stranger, REVOKE), (&service, INTROSPECT)] {
        let answer = caller.send("POST", path, FORM, large()).await;
        assert_oauth_error(&answer, 413, "payload_too_large", "invalid_request");
        // A body that is not a form gets a 415 or a 422.
        let answer = caller.send("POST", path, "application/json", "{}").await;
        let code = if answer.status == 415 { "unsupported_media_type" } else { "invalid_fields" };
        assert_oauth_error(&answer, answer.status, code, "invalid_request");
        let broken = Body::from_stream(stream::iter([Err::<Vec<u8>, _>(io::Error::other("gone"))]));
        let answer = caller.send("POST", path, FORM, broken).await;
        assert_oauth_error(&answer, 400, "unreadable_body", "invalid_request");
        assert_oauth_error(&caller.post_form(path, &[]).await, 422, "invalid_fields", "invalid_request");
    }
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", "csr_made_up")];
    assert_oauth_error(&stranger.post_form(TOKEN, &refresh).await, 400, "invalid_refresh_token", "invalid_grant");
    let answer = stranger.log_in("ada@example.com", "wrong password").await;
    assert_oauth_error(&answer, 401, "wrong_credentials", "invalid_grant");
    let answer = stranger.post_form(INTROSPECT, &[("token", "x")]).await;
    assert_oauth_error(&answer, 401, "not_authenticated", "invalid_client");
    // The JSON login is not an OAuth endpoint and uses the API's own problem format.
    let answer = stranger.post("/api/users/login", json!({ "username": "ada@example.com", "password": "wrong" })).await;
    assert_eq!(answer.problem(401, "wrong_credentials").get("error"), None);
    assert_eq!(answer.headers["content-type"], "application/problem+json");

    app.db().close().await;
    for (caller, path, pairs) in [
        (&stranger, TOKEN, [("username", "ada@example.com"), ("password", PASSWORD)].as_slice()),
        (&stranger, TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]),
        (&stranger, REVOKE, &[("token", refresh_token)]),
        (&service, INTROSPECT, &[("token", refresh_token)]),
    ] {
        let answer = caller.post_form(path, pairs).await;
        assert_oauth_error(&answer, 503, "database_unavailable", "temporarily_unavailable");
        assert_eq!(answer.headers["retry-after"], "1");
    }
}

#[tokio::test]
async fn a_limit_at_an_oauth_endpoint_is_an_error_of_oauth() {
    let once = Rate::new(1, SignedDuration::from_mins(1)).unwrap();
    let app = TestApp::with(|config| config.limits.get_or_insert_default().log_in = once).await;
    let caller = app.anonymous().at("203.0.113.7");
    caller.log_in("nobody@example.com", PASSWORD).await.problem(401, "wrong_credentials");
    let answer = caller.log_in("nobody@example.com", PASSWORD).await;
    assert_oauth_error(&answer, 429, "too_many_requests", "temporarily_unavailable");
}

/// Introspects a token with this `Authorization` header.
async fn introspect(app: &TestApp, authorization: &str, token: &str) -> Answer {
    let request = Request::post(INTROSPECT).header("host", "localhost").header(CONTENT_TYPE, FORM);
    let request = request.header(AUTHORIZATION, authorization).body(Body::from(format!("token={token}")));
    app.anonymous().send_request(request.unwrap()).await
}

fn basic(credentials: &str) -> String {
    format!("Basic {}", STANDARD.encode(credentials))
}

fn challenges(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn a_service_shows_its_secret_by_http_basic_too_under_any_name() {
    // One generated secret, and one whose characters could be mistaken for form encoding.
    for secret in [generate_secret_key().expose(), "a+b %41:/7f3c9a1e5b2d8c4f6a0e9b7d3c5f1a8e"] {
        let asker = SecretKey::parse(secret.to_owned()).unwrap();
        let app = TestApp::with(|config| config.tokens.introspection_secret = Some(asker.clone())).await;
        let ada = app.user("ada").await;
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for header in [
            basic(&format!("reports:{encoded}")),
            basic(&format!("a+name%3A:{encoded}")),
            basic(&format!(":{secret}")),
            basic(&format!("curl:{secret}")).replace("Basic", "bASIC"),
        ] {
            let body = introspect(&app, &header, ada.token().unwrap()).await.ok(200);
            assert_eq!((&body["active"], &body["client_id"]), (&json!(true), &json!("first-party")), "{header}");
        }
        for header in [
            basic("reports:guess"),
            basic(&format!("{secret}:")),
            basic(&secret.replace(':', "")[1..]),
            basic(&format!("reports:{secret}x")),
            "Basic".to_owned() + " ",
            "Basic not/base64!".to_owned(),
            format!("Basic {}", STANDARD.encode(b"reports:\xff\xfe")),
        ] {
            let answer = introspect(&app, &header, ada.token().unwrap()).await;
            assert_oauth_error(&answer, 401, "invalid_token", "invalid_client");
            assert_eq!(challenges(&answer), ["Basic realm=\"introspection\", charset=\"UTF-8\""], "{header}");
        }
    }
}

/// The challenge for an invalid bearer token (RFC 6750, section 3.1).
const ANOTHER_TOKEN: &str = "Bearer error=\"invalid_token\", error_description=\"Invalid or expired token\"";

#[tokio::test]
async fn the_challenge_names_an_error_only_to_a_request_that_brought_a_token() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let me = async |name: &str, value: &str| {
        let request = Request::get("/api/users/me").header("host", "localhost").header(name, value);
        app.anonymous().send_request(request.body(Body::empty()).unwrap()).await
    };
    let altered = format!("Bearer {}x", ada.token().unwrap());
    app.clock.advance(SignedDuration::from_mins(31));
    let expired = format!("Bearer {}", ada.token().unwrap());
    for header in ["Bearer guess", "bearer x", &altered, &expired] {
        let answer = me("authorization", header).await;
        answer.problem(401, "invalid_token");
        assert_eq!(challenges(&answer), [ANOTHER_TOKEN], "{header}");
    }
    for (name, value) in [("authorization", "Basic eDp5"), ("authorization", "Bearer"), ("x-nothing", "x")] {
        let answer = me(name, value).await;
        answer.problem(401, "not_authenticated");
        assert_eq!(challenges(&answer), ["Bearer"], "{value}");
    }
    // For an invalid cookie, the bearer challenge names no error.
    let answer = me("cookie", "__Host-session=guess; session=guess").await;
    answer.problem(401, "invalid_token");
    assert_eq!(challenges(&answer), ["Bearer"]);
}

#[tokio::test]
async fn who_asks_about_tokens_without_the_secret_is_told_how_to_show_it() {
    let app = TestApp::with(|config| config.tokens.introspection_secret = Some(generate_secret_key())).await;
    let ada = app.user("ada").await;
    for header in ["Digest x", "Bearer", "x"] {
        let answer = introspect(&app, header, "x").await;
        assert_oauth_error(&answer, 401, "not_authenticated", "invalid_client");
        assert_eq!(challenges(&answer), ["Bearer", "Basic realm=\"introspection\", charset=\"UTF-8\""]);
    }
    for header in ["Bearer guess".to_owned(), format!("Bearer {}", ada.token().unwrap())] {
        let answer = introspect(&app, &header, "x").await;
        assert_oauth_error(&answer, 401, "invalid_token", "invalid_client");
        assert_eq!(challenges(&answer), [ANOTHER_TOKEN]);
    }
    // Without a configured secret, an empty one is not accepted either.
    let closed = TestApp::start().await;
    for header in ["Bearer ".to_owned(), basic(":"), basic("reports:")] {
        introspect(&closed, &header, "x").await.ok(401);
    }
}

#[tokio::test]
async fn access_tokens_of_public_keys_name_their_audience_and_so_does_introspection() {
    let asker = generate_secret_key();
    let bearer = format!("Bearer {}", asker.expose());
    for (algorithm, set, expected) in [
        (SigningAlgorithm::Hs256, None, None),
        (SigningAlgorithm::Hs256, Some("https://api.example.org"), Some("https://api.example.org")),
        (SigningAlgorithm::EdDsa, None, Some("https://accounts.example.org")),
        (SigningAlgorithm::EdDsa, Some("https://api.example.org"), Some("https://api.example.org")),
    ] {
        let app = TestApp::with(|config| {
            config.tokens.signing_algorithm = algorithm;
            config.tokens.issuer = "https://accounts.example.org".to_owned();
            config.tokens.audience = set.map(str::to_owned);
            config.tokens.introspection_secret = Some(asker.clone());
        })
        .await;
        app.user("ada").await;
        let tokens = app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);
        let [access, refresh] = ["access_token", "refresh_token"].map(|name| tokens[name].as_str().unwrap());
        let [_, claims] = parts(access);
        assert_eq!(claims.get("aud").and_then(Value::as_str), expected);
        let told = introspect(&app, &bearer, access).await.ok(200);
        assert_eq!((told.get("aud"), &told["client_id"]), (claims.get("aud"), &json!("first-party")));
        // A refresh token has no audience but this server.
        let told = introspect(&app, &bearer, refresh).await.ok(200);
        assert_eq!((told.get("aud"), &told["client_id"]), (None, &json!("first-party")));
    }
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused_and_a_change_of_the_audience_is_a_refresh() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let with = |audience: Option<&str>| {
        let audience = audience.map(str::to_owned);
        app.another_instance(move |mut config| {
            config.tokens.audience = audience;
            config
        })
    };
    let [none, one, other] = [None, Some("https://api.example.org"), Some("https://other.example.org")].map(with);
    let tokens = none.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);
    let access = |tokens: &Value| tokens["access_token"].as_str().map(str::to_owned);
    // A token issued before an audience was configured.
    one.bearer(access(&tokens)).get("/api/users/me").await.ok(200);
    let tokens = one.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);
    one.bearer(access(&tokens)).get("/api/users/me").await.ok(200);
    other.bearer(access(&tokens)).get("/api/users/me").await.problem(401, "invalid_token");
    none.bearer(access(&tokens)).get("/api/users/me").await.problem(401, "invalid_token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    let renewed = other.anonymous().post_form(TOKEN, &refresh).await.ok(200);
    other.bearer(access(&renewed)).get("/api/users/me").await.ok(200);
}

#[tokio::test]
async fn a_login_is_taken_as_multipart_too() {
    const MULTIPART: &str = "multipart/form-data; boundary=frontier";
    let app = TestApp::start().await;
    app.user("ada").await;
    let part = |name: &str, value: &str| {
        format!("--frontier\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let whole = |parts: &[String]| format!("{}--frontier--\r\n", parts.concat());
    let (name, password) = (part("username", "ada@example.com"), part("password", PASSWORD));
    let good = whole(&[part("grant_type", "password"), part("scope", ""), name.clone(), password.clone()]);
    let tokens = app.anonymous().send("POST", TOKEN, MULTIPART, good).await.ok(200);
    let refresh =
        [part("grant_type", "refresh_token"), part("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    let tokens = app.anonymous().send("POST", TOKEN, MULTIPART, whole(&refresh)).await.ok(200);
    let revoked = whole(&[part("token", tokens["refresh_token"].as_str().unwrap())]);
    app.anonymous().send("POST", &format!("{TOKEN}/revoke"), MULTIPART, revoked).await.ok(200);
    let again = [part("grant_type", "refresh_token"), part("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    app.anonymous().send("POST", TOKEN, MULTIPART, whole(&again)).await.problem(400, "invalid_refresh_token");

    let file = "--frontier\r\nContent-Disposition: form-data; name=\"password\"; filename=\"a\"\r\n\r\nx\r\n";
    for (parts, expected) in [
        (vec![], vec!["missing body.username", "missing body.password"]),
        (vec![name.clone(), part("password", "")], vec!["missing body.password"]),
        (vec![name.clone(), password.clone(), password.clone()], vec!["value_error body.password"]),
        (vec![name.clone(), file.to_owned()], vec!["string_type body.password"]),
        (vec![name.clone(), part("password", "a\0b")], vec!["value_error body.password"]),
    ] {
        let body = app.anonymous().send("POST", TOKEN, MULTIPART, whole(&parts)).await.problem(422, "invalid_fields");
        assert_eq!(faults(&body), expected);
        assert_eq!(body["error"], "invalid_request");
    }
    let latin =
        [name.as_bytes(), b"--frontier\r\nContent-Disposition: form-data; name=password\r\n\r\n\xff\r\n--frontier--"]
            .concat();
    assert_eq!(faults(&app.anonymous().send("POST", TOKEN, MULTIPART, latin).await.ok(422)), ["value_error body"]);
    for (content_type, body) in [("multipart/form-data", whole(std::slice::from_ref(&name))), (MULTIPART, name.clone())]
    {
        let body = app.anonymous().send("POST", TOKEN, content_type, body).await.problem(400, "unreadable_body");
        assert_eq!(body["error"], "invalid_request");
    }
    let large = whole(&[name, part("password", &"a".repeat(65_536))]);
    app.anonymous().send("POST", TOKEN, MULTIPART, large).await.problem(413, "payload_too_large");
}

#[tokio::test]
async fn usernames_log_in_only_where_the_setting_says_so() {
    let app = TestApp::with(|config| config.login_by = LoginBy::EmailOrUsername).await;
    app.user("ada").await;
    for username in ["ada", "ADA", " ada ", "ada@example.com"] {
        app.anonymous().log_in(username, PASSWORD).await.ok(200);
    }
    app.anonymous().log_in("eve", PASSWORD).await.problem(401, "wrong_credentials");
}

#[tokio::test]
async fn a_password_typed_composed_or_decomposed_is_one() {
    let app = TestApp::start().await;
    let body =
        json!({ "username": "ada", "email": "ada@example.com", "password": "cre\u{300}me bru\u{302}le\u{301}e" });
    app.anonymous().post("/api/users", body).await.ok(201);
    app.anonymous().log_in("ada@example.com", "cr\u{e8}me br\u{fb}l\u{e9}e").await.ok(200);
}

#[tokio::test]
async fn a_token_of_another_key_or_another_form_is_refused() {
    let (app, other) = (TestApp::start().await, TestApp::start().await);
    let (ada, elsewhere) = (app.user("ada").await, other.user("ada").await);
    let token = ada.token().unwrap();
    let (head, signature) = token.rsplit_once('.').unwrap();
    for forged in [
        elsewhere.token().unwrap().to_owned(),
        format!("{head}."),
        format!("{head}.{}", signature.chars().rev().collect::<String>()),
        token.replace('.', ""),
        format!("{token}.{signature}"),
    ] {
        let answer = app.bearer(Some(forged)).get("/api/users/me").await;
        assert_eq!(answer.problem(401, "invalid_token")["detail"], "Invalid or expired token");
    }
}

#[tokio::test]
async fn when_the_database_is_gone_nobody_is_let_in_and_nothing_is_told() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.db().close().await;
    for answer in [
        ada.get("/api/users/me").await,
        app.anonymous().log_in("ada@example.com", PASSWORD).await,
        app.anonymous().get(&format!("/api/users/{}", ada.id)).await,
    ] {
        let body = answer.problem(503, "database_unavailable");
        assert_eq!(body["detail"], "Database unavailable");
        assert_eq!(answer.headers["retry-after"], "1");
    }
}
