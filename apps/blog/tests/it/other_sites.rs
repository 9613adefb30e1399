//! What other sites make a browser do: nothing that changes anything, and none of our pages within theirs.

use axum::body::Body;
use axum::http::Request;
use countersign::testing::{Answer, PASSWORD, TestApp};
use serde_json::json;

use crate::walk::{Person, operations, page_path, page_routes};
use crate::{publish, unlimited_blog};

/// How browsers say that a request comes from elsewhere; older ones by `Origin` alone.
const ELSEWHERE: [&[(&str, &str)]; 6] = [
    &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    &[("sec-fetch-site", "same-site"), ("origin", "http://blog.localhost:8000")],
    &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
    &[("origin", "https://evil.example")],
    &[("origin", "http://localhost:8000.evil.example")],
    &[("origin", "null")],
];

async fn cookie_of(app: &TestApp, email: &str) -> String {
    let answer = app.anonymous().post("/api/users/login", json!({ "username": email, "password": PASSWORD })).await;
    answer.ok(204);
    answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}

async fn send(
    app: &TestApp,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    content_type: &str,
    body: String,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8000");
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.anonymous().send_request(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn no_operation_is_done_with_a_cookie_that_another_site_has_sent() {
    let app = unlimited_blog().await;
    let person = Person::new(&app, "ada").await;
    let cookie = cookie_of(&app, &person.user.email).await;
    let mut refused = 0;
    for operation in operations().into_iter().filter(|operation| operation.method != "GET") {
        let (path, values) = person.in_order(&operation);
        for elsewhere in ELSEWHERE {
            let headers = [elsewhere, &[("cookie", cookie.as_str())]].concat();
            let content_type = operation.content_type.as_deref().unwrap_or_default();
            let body = if content_type.is_empty() { String::new() } else { json!(values).to_string() };
            let answer = send(&app, &operation.method, &path, &headers, content_type, body).await;
            let what = format!("{} {path} from {elsewhere:?}: {}", operation.method, answer.text());
            assert!(!answer.headers.contains_key("set-cookie"), "{what}");
            assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{what}");
            if operation.needs_login && !path.ends_with("/introspect") || path.ends_with("/login") {
                answer.problem(403, "cross_site");
                refused += 1;
            }
        }
        // A form of another site can send these types alone, and no operation takes JSON by them.
        if operation.content_type.as_deref() == Some("application/json") && operation.method == "POST" {
            for simple in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
                let answer = send(&app, "POST", &path, &[], simple, json!(values).to_string()).await;
                assert!([401, 415].contains(&answer.status), "{path} as {simple}: {}", answer.text());
            }
        }
    }
    assert!(refused >= 12 * ELSEWHERE.len(), "{refused}");
    assert_eq!(person.user.get("/api/users/me").await.ok(200)["username"], "ada");
}

#[tokio::test]
async fn no_page_takes_a_form_of_another_site() {
    let app = unlimited_blog().await;
    let person = Person::new(&app, "ada").await;
    let cookie = cookie_of(&app, &person.user.email).await;
    let before = app.mailbox().list().len();
    for route in page_routes().iter().filter(|route| route.takes_post) {
        let path = page_path(&route.path, &person);
        for elsewhere in ELSEWHERE {
            for cookies in [&[][..], &[("cookie", cookie.as_str())]] {
                let fields = format!(
                    "username=eve&email=eve%40example.com&password={}&next=/&token=x&title=a&content=b&language=de",
                    PASSWORD.replace(' ', "+")
                );
                let headers = [elsewhere, cookies].concat();
                let answer = send(&app, "POST", &path, &headers, "application/x-www-form-urlencoded", fields).await;
                let what = format!("{path} from {elsewhere:?}");
                assert_eq!(answer.status, 403, "{what}: {}", answer.text());
                assert!(!answer.headers.contains_key("set-cookie"), "{what}");
            }
        }
    }
    app.run_jobs().await;
    assert!(app.mailbox().list().len() <= before + 1, "no mail but that of the registration");
    assert_eq!(person.user.get("/api/users/me").await.ok(200)["username"], "ada");
}

#[tokio::test]
async fn no_script_of_another_site_reads_an_answer() {
    let app = unlimited_blog().await;
    let person = Person::new(&app, "ada").await;
    let cookie = cookie_of(&app, &person.user.email).await;
    let mut paths: Vec<String> = page_routes().iter().map(|route| page_path(&route.path, &person)).collect();
    paths.extend(operations().iter().map(|operation| person.in_order(operation).0));
    for path in paths {
        for method in ["GET", "OPTIONS"] {
            let headers = [
                ("cookie", cookie.as_str()),
                ("origin", "https://evil.example"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "cors"),
                ("access-control-request-method", "PATCH"),
                ("access-control-request-headers", "authorization"),
            ];
            let answer = send(&app, method, &path, &headers, "", String::new()).await;
            let shares = answer.headers.keys().any(|name| name.as_str().starts_with("access-control-"));
            assert!(!shares, "{method} {path}: {:?}", answer.headers);
        }
    }
}

#[tokio::test]
async fn no_page_can_be_put_into_a_frame() {
    let app = unlimited_blog().await;
    let person = Person::new(&app, "ada").await;
    publish(&person.user, "One").await;
    let (nobody, somebody) = (app.browser(), app.browser());
    somebody.log_in(&person.user.email, PASSWORD).await;
    let mut paths: Vec<String> = page_routes().iter().map(|route| page_path(&route.path, &person)).collect();
    paths.extend(
        [
            "/nothing",
            "/posts/unreadable",
            "/docs",
            "/problems",
            "/assets/x/favicon.svg",
            "/openapi.json",
            "/api/users/me",
        ]
        .map(str::to_owned),
    );
    for path in paths {
        for browser in [&nobody, &somebody] {
            let answer = browser.open(&path).await;
            assert_eq!(answer.headers["x-frame-options"], "DENY", "{path}");
            let policies: Vec<&str> =
                answer.headers.get_all("content-security-policy").iter().map(|value| value.to_str().unwrap()).collect();
            assert_eq!(policies.len(), 1, "{path}: {policies:?}");
            assert!(policies[0].contains("frame-ancestors 'none'"), "{path}: {policies:?}");
        }
    }
}
