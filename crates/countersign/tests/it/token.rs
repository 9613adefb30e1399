use countersign::config::LoginBy;
use countersign::testing::{PASSWORD, TestApp};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::faults;

const TOKEN: &str = "/api/users/token";
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

#[tokio::test]
async fn a_token_names_its_user_as_a_text_and_expires() {
    use base64::Engine as _;
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let parts: Vec<Value> = ada
        .token()
        .unwrap()
        .split('.')
        .take(2)
        .map(|part| {
            serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        })
        .collect();
    assert_eq!(parts[0], json!({ "typ": "at+jwt", "alg": "HS256", "kid": parts[0]["kid"] }));
    assert!(parts[0]["kid"].as_str().unwrap().starts_with("hs-"));
    let now = app.clock.now().as_second();
    assert_eq!(parts[1]["sub"], ada.id.to_string());
    assert_eq!((&parts[1]["iat"], &parts[1]["exp"]), (&json!(now), &json!(now + 1800)));
    for claim in ["iss", "sid", "jti"] {
        assert!(parts[1][claim].is_string(), "{claim}");
    }
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
async fn a_body_that_is_no_form_lacks_every_field() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let json = json!({ "username": "ada@example.com", "password": PASSWORD }).to_string();
    for (content_type, body) in
        [("application/json", json.clone()), (FORM, json), ("text/plain", "username=a&password=b".to_owned())]
    {
        let body = app.anonymous().send("POST", TOKEN, content_type, body).await.ok(422);
        assert_eq!(faults(&body), ["missing body.username", "missing body.password"], "{content_type}");
    }
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
