//! The client address of a request behind proxies.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::Request;
use countersign::testing::{PASSWORD, TestApp};
use serde_json::json;

/// Logs in with these headers and returns the address recorded for the session.
async fn address_of_login(app: &TestApp, peer: &str, headers: &[(&str, &str)]) -> String {
    let body = json!({ "username": "ada@example.com", "password": PASSWORD }).to_string();
    let mut request = Request::post("/api/users/login")
        .header("content-type", "application/json")
        .extension(ConnectInfo(SocketAddr::new(peer.parse::<IpAddr>().unwrap(), 4711)));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = app.anonymous().send_request(request.body(body.into()).unwrap()).await;
    answer.ok(204);
    let cookie = answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let request =
        Request::get("/api/users/me/sessions").header("cookie", cookie).header("sec-fetch-site", "same-origin");
    let sessions = app.anonymous().send_request(request.body("".into()).unwrap()).await.ok(200);
    let sessions = sessions["sessions"].as_array().unwrap();
    let current = sessions.iter().find(|session| session["current"] == true).unwrap();
    current["address"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_is_believed_about_others_unless_trusted() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let headers =
        [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.1"), ("x-real-ip", "198.51.100.1")];
    assert_eq!(address_of_login(&app, "203.0.113.7", &headers).await, "203.0.113.7");
    assert_eq!(address_of_login(&app, "::ffff:203.0.113.7", &headers).await, "203.0.113.7");
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_in_the_one_header_that_is_set() {
    let app = TestApp::with(|config| config.proxies.trusted = vec!["10.0.0.0/8".parse().unwrap()]).await;
    app.user("ada").await;
    let through = [("x-forwarded-for", "198.51.100.1, 203.0.113.7"), ("forwarded", "for=198.51.100.9")];
    assert_eq!(address_of_login(&app, "10.0.0.1", &through).await, "203.0.113.7");
    assert_eq!(address_of_login(&app, "10.0.0.1", &through[1..]).await, "10.0.0.1");
    assert_eq!(address_of_login(&app, "192.0.2.1", &through).await, "192.0.2.1");
}
