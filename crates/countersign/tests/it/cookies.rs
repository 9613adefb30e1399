//! Session cookies of browsers.

use axum::body::Body;
use axum::http::Request;
use countersign::testing::{Answer, PASSWORD, TestApp};
use serde_json::json;

use crate::faults;

async fn log_in(app: &TestApp, headers: &[(&str, &str)]) -> Answer {
    send(
        app,
        "POST",
        "/api/users/login",
        headers,
        &json!({ "username": "ADA@example.com", "password": PASSWORD }).to_string(),
    )
    .await
}

async fn send(app: &TestApp, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8000");
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.anonymous().send_request(request.body(Body::from(body.to_owned())).unwrap()).await
}

/// The `name=value` pair that a browser sends back.
fn cookie(answer: &Answer) -> String {
    answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");

#[tokio::test]
async fn a_login_sets_a_cookie_that_scripts_cannot_read_and_the_next_login_another() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let answer = log_in(&app, &[SAME]).await;
    answer.ok(204);
    let text = answer.headers["set-cookie"].to_str().unwrap();
    assert!(text.contains("; HttpOnly") && text.contains("; SameSite=Lax") && !text.contains("Domain"), "{text}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    let first = cookie(&answer);
    let me = send(&app, "GET", "/api/users/me", &[("cookie", &first), SAME], "").await;
    assert_eq!(me.ok(200)["username"], "ada");
    assert_ne!(cookie(&log_in(&app, &[SAME]).await), first);

    let wrong = json!({ "username": "ada@example.com", "password": "another" }).to_string();
    send(&app, "POST", "/api/users/login", &[], &wrong).await.problem(401, "wrong_credentials");
    let empty = send(&app, "POST", "/api/users/login", &[], "{}").await.ok(422);
    assert_eq!(faults(&empty), ["missing body.username", "missing body.password"]);
}

#[tokio::test]
async fn a_login_ends_the_session_it_was_made_in() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let first = cookie(&log_in(&app, &[SAME]).await);
    let second = cookie(&log_in(&app, &[SAME, ("cookie", &first)]).await);
    send(&app, "GET", "/api/users/me", &[("cookie", &first), SAME], "").await.problem(401, "invalid_token");
    // So does re-authentication.
    let password = json!({ "password": PASSWORD }).to_string();
    let path = "/api/users/me/reauthenticate";
    let confirmed = send(&app, "POST", path, &[("cookie", &second), SAME], &password).await;
    confirmed.ok(204);
    let third = cookie(&confirmed);
    send(&app, "GET", "/api/users/me", &[("cookie", &second), SAME], "").await.problem(401, "invalid_token");
    assert_eq!(send(&app, "GET", "/api/users/me", &[("cookie", &third), SAME], "").await.ok(200)["username"], "ada");
    // A failed login ends no session.
    let wrong = json!({ "username": "ada@example.com", "password": "another" }).to_string();
    send(&app, "POST", "/api/users/login", &[("cookie", &third), SAME], &wrong).await.problem(401, "wrong_credentials");
    send(&app, "GET", "/api/users/me", &[("cookie", &third), SAME], "").await.ok(200);
}

#[tokio::test]
async fn a_cookie_writes_only_from_our_own_pages() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let cookie = cookie(&log_in(&app, &[]).await);
    let path = format!("/api/users/{}", ada.id);
    let change = r#"{"username":"countess"}"#;
    for headers in [
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site")],
        vec![("origin", "https://evil.example")],
        vec![("origin", "null")],
    ] {
        let with: Vec<_> = headers.into_iter().chain([("cookie", cookie.as_str())]).collect();
        send(&app, "PATCH", &path, &with, change).await.problem(403, "cross_site");
        send(&app, "POST", "/api/users/logout", &with, "").await.problem(403, "cross_site");
        let login = log_in(&app, &with).await;
        login.problem(403, "cross_site");
        assert!(!login.headers.contains_key("set-cookie"));
    }
    assert_eq!(ada.get("/api/users/me").await.ok(200)["username"], "ada");
    send(&app, "PATCH", &path, &[("cookie", &cookie), SAME], change).await.ok(200);
    send(&app, "PATCH", &path, &[("cookie", &cookie), ("origin", "http://localhost:8000")], change).await.ok(200);
    // Browsers never attach an access token automatically, so it is accepted cross-site.
    let bearer = format!("Bearer {}", ada.token().unwrap());
    send(&app, "PATCH", &path, &[("authorization", &bearer), ("sec-fetch-site", "cross-site")], change).await.ok(200);
}

#[tokio::test]
async fn an_authorization_header_counts_alone() {
    let app = TestApp::start().await;
    let (_ada, eve) = (app.user("ada").await, app.user("eve").await);
    let cookie = cookie(&log_in(&app, &[]).await);
    let bearer = format!("Bearer {}", eve.token().unwrap());
    let both = send(&app, "GET", "/api/users/me", &[("cookie", &cookie), ("authorization", &bearer)], "").await;
    assert_eq!(both.ok(200)["username"], "eve");
    let broken = send(&app, "GET", "/api/users/me", &[("cookie", &cookie), ("authorization", "Bearer x")], "").await;
    broken.problem(401, "invalid_token");
    let other = send(&app, "GET", "/api/users/me", &[("cookie", &cookie), ("authorization", "Basic x")], "").await;
    other.problem(401, "not_authenticated");
}

#[tokio::test]
async fn logging_out_ends_the_session_and_takes_the_cookie_away() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let cookie = cookie(&log_in(&app, &[]).await);
    let out = send(&app, "POST", "/api/users/logout", &[("cookie", &cookie), SAME], "").await;
    out.ok(204);
    assert!(out.headers["set-cookie"].to_str().unwrap().starts_with("session=; Path=/; Max-Age=0"));
    send(&app, "GET", "/api/users/me", &[("cookie", &cookie)], "").await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_cookie_that_is_not_ours_opens_nothing() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let good = cookie(&log_in(&app, &[]).await);
    let value = good.strip_prefix("session=").unwrap();
    let tokens = app.anonymous().log_in(&ada.email, PASSWORD).await.ok(200);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let mut flipped = value.to_owned();
    flipped.replace_range(40..41, if &value[40..41] == "A" { "B" } else { "A" });
    for bad in [
        flipped,
        value[..40].to_owned(),
        refresh.to_owned(),
        ada.token().unwrap().to_owned(),
        ada.id.to_string(),
        String::new(),
    ] {
        let answer = send(&app, "GET", "/api/users/me", &[("cookie", &format!("session={bad}"))], "").await;
        answer.problem(401, "invalid_token");
    }
    for none in [format!("other={value}"), format!("Session={value}"), "session".to_owned()] {
        send(&app, "GET", "/api/users/me", &[("cookie", &none)], "").await.problem(401, "not_authenticated");
    }
    send(&app, "GET", "/api/users/me", &[("cookie", &format!("a=b; {good}; c=d"))], "").await.ok(200);
}

async fn send_to(app: &TestApp, host: &str, method: &str, path: &str, cookie: &str, body: &str) -> Answer {
    let request =
        Request::builder().method(method).uri(path).header("host", host).header("content-type", "application/json");
    let request = if cookie.is_empty() { request } else { request.header("cookie", cookie) };
    app.anonymous().send_request(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_host_that_is_not_loopback_never_gets_nor_gives_a_cookie_that_is_not_secure() {
    // A first setup: the configured URL is loopback, but other machines use another host name.
    let app = TestApp::start().await;
    app.user("ada").await;
    let credentials = json!({ "username": "ada@example.com", "password": PASSWORD }).to_string();
    let log_in = async |host: &str| send_to(&app, host, "POST", "/api/users/login", "", &credentials).await;
    let who_am_i = async |host: &str, cookie: &str| send_to(&app, host, "GET", "/api/users/me", cookie, "").await;
    for host in ["nas:8000", "192.168.0.2:8000", "accounts.example.org", "localhost.example.org"] {
        let answer = log_in(host).await;
        answer.ok(204);
        for header in answer.headers.get_all("set-cookie") {
            let text = header.to_str().unwrap();
            assert!(
                text.starts_with("__Host-") && text.contains("; Secure") && !text.contains("Domain"),
                "{host}: {text}"
            );
        }
        let secure = cookie(&answer);
        who_am_i(host, &secure).await.ok(200);
        who_am_i("localhost:8000", &secure).await.problem(401, "not_authenticated");
        let out = send_to(&app, host, "POST", "/api/users/logout", &secure, "").await;
        assert!(out.headers["set-cookie"].to_str().unwrap().starts_with("__Host-session=; "), "{host}");
    }
    let local = log_in("localhost:8000").await;
    let local = cookie(&local);
    assert!(local.starts_with("session="), "{local}");
    who_am_i("127.0.0.1:8000", &local).await.ok(200);
    who_am_i("nas:8000", &local).await.problem(401, "not_authenticated");
}
