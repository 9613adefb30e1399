//! Requests that no honest client sends.

use axum::body::Body;
use axum::http::Request;
use countersign::testing::{Answer, TestApp};
use serde_json::json;

use crate::faults;

const JSON: &str = "application/json";

async fn post(app: &TestApp, content_type: &str, body: impl Into<Body>) -> Answer {
    app.anonymous().send("POST", "/api/users", content_type, body).await
}

#[tokio::test]
async fn a_member_given_twice_is_refused_at_any_depth() {
    let app = TestApp::start().await;
    for body in [
        r#"{"username":"a","username":"b","email":"a@example.com","password":"long enough"}"#,
        r#"{"username":"a","email":"a@example.com","password":"long enough","x":{"y":1,"y":2}}"#,
        r#"{"username":"a","email":"a@example.com","password":"long enough","x":[{"y":1,"\u0079":2}]}"#,
    ] {
        assert_eq!(faults(&post(&app, JSON, body).await.ok(422)), ["json_invalid body"], "{body}");
    }
}

#[tokio::test]
async fn what_is_not_one_json_object_is_refused() {
    let app = TestApp::start().await;
    for (body, expected) in [
        (&b""[..], "missing body"),
        (b"{", "json_invalid body"),
        (b"{}{}", "json_invalid body"),
        (b"{\"username\":\"\\ud800\"}", "json_invalid body"),
        (b"{\"username\":\"\xff\"}", "json_invalid body"),
        (b"\xef\xbb\xbf", "json_invalid body"),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "json_invalid body"),
        (b"{'a':1}", "json_invalid body"),
        (b"[]", "model_attributes_type body"),
        (b"null", "model_attributes_type body"),
        (b"\"text\"", "model_attributes_type body"),
        (b"1e400", "json_invalid body"),
    ] {
        let answer = post(&app, JSON, body.to_vec()).await;
        assert_eq!(faults(&answer.ok(422)), [expected], "{}", String::from_utf8_lossy(body));
    }
}

#[tokio::test]
async fn depth_bombs_are_refused() {
    let app = TestApp::start().await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let body = format!("{{\"username\":{}1{}}}", open.repeat(10_000), close.repeat(10_000));
        assert_eq!(faults(&post(&app, JSON, body).await.ok(422)), ["json_invalid body"]);
    }
}

#[tokio::test]
async fn a_body_of_another_type_is_refused() {
    let app = TestApp::start().await;
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": "long enough" }).to_string();
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "json"] {
        let told = post(&app, content_type, body.clone()).await.problem(415, "unsupported_media_type");
        assert_eq!(told["detail"], format!("Expected application/json, not {content_type}"));
    }
    let told = post(&app, &format!("Text/{}; charset=utf-8", "x".repeat(4_000)), body.clone()).await;
    let told = told.problem(415, "unsupported_media_type")["detail"].as_str().unwrap().len();
    assert!(told < 200, "{told}");
    let untyped = Request::post("/api/users").body(Body::from(body.clone())).unwrap();
    for answer in [post(&app, "", body.clone()).await, app.anonymous().send_request(untyped).await] {
        let told = answer.problem(415, "unsupported_media_type");
        assert_eq!(told["detail"], "Expected application/json, not a body without Content-Type");
    }
    let empty = Request::post("/api/users").body(Body::empty()).unwrap();
    assert_eq!(faults(&app.anonymous().send_request(empty).await.ok(422)), ["missing body"]);
    post(&app, "Application/JSON; charset=utf-8", body).await.ok(201);
}

#[tokio::test]
async fn a_byte_order_mark_before_json_is_taken() {
    let app = TestApp::start().await;
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": "long enough" });
    assert_eq!(post(&app, JSON, format!("\u{feff}{body}")).await.ok(201)["username"], "ada");
}

#[tokio::test]
async fn a_body_with_an_encoding_is_refused_by_its_name_and_another_is_asked_for() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let picture = format!("/api/users/{}/picture", ada.id);
    let json = json!({ "username": "eve", "email": "eve@example.com", "password": "long enough" }).to_string();
    let form = "username=ada%40example.com&password=correct+horse+battery+staple".to_owned();
    for (method, path, content_type, body) in [
        ("POST", "/api/users", JSON, json.clone()),
        ("POST", "/api/users/token", "application/x-www-form-urlencoded", form),
        ("PATCH", &picture, "multipart/form-data; boundary=x", "--x--".to_owned()),
    ] {
        for coding in ["gzip", "br", "identity, zstd"] {
            let request = Request::builder().method(method).uri(path).header("host", "localhost");
            let request = request.header("content-type", content_type).header("content-encoding", coding);
            let request = request.header("authorization", format!("Bearer {}", ada.token().unwrap()));
            let answer = app.anonymous().send_request(request.body(Body::from(body.clone())).unwrap()).await;
            let told = answer.problem(415, "unsupported_media_type");
            let name = coding.rsplit(' ').next().unwrap();
            assert_eq!(told["detail"], format!("Expected a body without Content-Encoding, not {name}"));
            assert_eq!(answer.headers["accept-encoding"], "identity");
        }
    }
    let request = Request::post("/api/users").header("content-type", JSON).header("content-encoding", "Identity");
    app.anonymous().send_request(request.body(Body::from(json)).unwrap()).await.ok(201);
}

#[tokio::test]
async fn a_picture_that_is_not_in_a_form_is_refused_by_its_type() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let answer = ada.patch(&format!("/api/users/{}/picture", ada.id), json!({ "file": "x" })).await.ok(422);
    assert_eq!(faults(&answer), ["missing body.file"]);
    assert_eq!(answer["detail"][0]["msg"], "Expected multipart/form-data, not application/json");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let app = TestApp::start().await;
    let body = |bytes: usize| {
        let frame = r#"{"username":"ada","email":"ada@example.com","password":"long enough","x":""}"#;
        frame.replace("\"x\":\"\"", &format!("\"x\":\"{}\"", "a".repeat(bytes - frame.len())))
    };
    post(&app, JSON, body(65_537)).await.problem(413, "payload_too_large");
    post(&app, JSON, body(65_536)).await.ok(201);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_told() {
    let app = TestApp::start().await;
    let broken = Body::from_stream(Broken(false));
    post(&app, JSON, broken).await.problem(400, "unreadable_body");
}

/// A body that fails after its first bytes.
struct Broken(bool);

impl futures_core::Stream for Broken {
    type Item = Result<&'static str, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let first = !std::mem::replace(&mut self.0, true);
        std::task::Poll::Ready(Some(if first {
            Ok("{\"username\":")
        } else {
            Err(std::io::ErrorKind::UnexpectedEof.into())
        }))
    }
}

#[tokio::test]
async fn other_methods_are_told() {
    let app = TestApp::start().await;
    for (method, path) in
        [("PUT", "/api/users"), ("GET", "/api/users/token"), ("POST", "/api/users/me"), ("PATCH", "/api/users/me")]
    {
        let answer = app.anonymous().send(method, path, JSON, "{}").await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(answer.headers.contains_key("allow"));
    }
}
