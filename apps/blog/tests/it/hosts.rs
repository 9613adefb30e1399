//! Requests with forged host headers: no response and no mail contains the forged host, so caches cannot be poisoned and
//! users are not sent there.

use axum::body::Body;
use axum::http::Request;
use countersign::testing::{Answer, PASSWORD, TestApp};
use serde_json::json;

use crate::walk::{Person, operations, page_path, page_routes};
use crate::{blog, blog_with};

const LIES: [(&str, &str); 12] = [
    ("host", "evil.example"),
    ("host", "localhost:8000@evil.example"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "gopher"),
    ("x-forwarded-port", "666"),
    ("x-forwarded-prefix", "/evil.example"),
    ("x-host", "evil.example"),
    ("x-original-url", "/evil.example"),
    ("x-rewrite-url", "/evil.example"),
    ("forwarded", "for=evil.example;host=evil.example;proto=gopher"),
    ("referer", "https://evil.example/"),
    ("x-http-method-override", "DELETE"),
];

async fn get(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost:8000");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.anonymous().send_request(request.body(Body::empty()).unwrap()).await
}

/// Public paths.
fn addresses(person: &Person) -> Vec<String> {
    let routes = page_routes();
    let pages = routes.iter().filter(|route| route.takes_get).map(|route| page_path(&route.path, person));
    let read = operations().into_iter().filter(|operation| operation.method == "GET" && !operation.needs_login);
    let read: Vec<String> = read.map(|operation| person.in_order(&operation).0).collect();
    let others = ["/docs", "/problems", "/openapi.json", "/static/profile_pics/default.jpg", "/nothing"];
    pages.chain(read).chain(others.map(str::to_owned)).collect()
}

#[tokio::test]
async fn no_answer_takes_over_the_host_that_a_request_names() {
    // A public URL, because a loopback site warns clients with another host that they will not stay logged in.
    let app = blog_with(|config| config.public_url = "https://a.example".parse().unwrap()).await;
    let person = Person::new(&app, "ada").await;
    for path in addresses(&person) {
        let honest = get(&app, &path, &[]).await;
        for lie in LIES {
            let answer = get(&app, &path, &[lie]).await;
            assert_eq!((answer.status, &answer.body), (honest.status, &honest.body), "{path} with {lie:?}");
            for (name, value) in &answer.headers {
                let value = value.to_str().unwrap();
                assert!(!value.contains("evil") && !value.contains("gopher"), "{path}, {name}: {value}");
            }
            // Redirect targets are paths.
            if let Some(to) = answer.headers.get("location") {
                assert!(!to.to_str().unwrap().contains("//"), "{path}: {to:?}");
            }
        }
    }
}

#[tokio::test]
async fn no_mail_leads_to_the_host_that_a_request_names() {
    let app = blog().await;
    for (number, (name, value)) in LIES.into_iter().enumerate() {
        let email = format!("ada{number}@example.com");
        let registration = json!({ "username": format!("ada{number}"), "email": email, "password": PASSWORD });
        for (path, body) in [("/api/users", registration), ("/api/users/forgot-password", json!({ "email": email }))] {
            let request = Request::post(path).header("content-type", "application/json").header(name, value);
            let answer = app.anonymous().send_request(request.body(body.to_string().into()).unwrap()).await;
            assert!(answer.status < 300, "{}", answer.text());
        }
    }
    app.run_jobs().await;
    let mails = app.mailbox().list();
    assert_eq!(mails.len(), 2 * LIES.len());
    for mail in mails {
        for part in [&mail.text, &mail.html, &mail.headers()] {
            assert!(!part.contains("evil") && !part.contains("gopher"), "{part}");
        }
        assert!(mail.text.contains("http://localhost:8000/"), "{}", mail.text);
    }
}

#[tokio::test]
async fn what_caches_may_keep_is_the_same_for_everybody() {
    let app = blog().await;
    let person = Person::new(&app, "ada").await;
    let login = json!({ "username": person.user.email, "password": PASSWORD });
    let login = app.anonymous().post("/api/users/login", login).await;
    let session = login.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let readers: [&[(&str, &str)]; 5] = [
        &[("cookie", &session), ("sec-fetch-site", "same-origin")],
        &[("cookie", "language=de; theme=dark; done=logged-out")],
        &[("accept-language", "de")],
        &[("user-agent", "<zz9>"), ("accept", "application/json")],
        &[("host", "evil.example")],
    ];
    let mut kept = 0;
    for path in addresses(&person) {
        let plain = get(&app, &path, &[]).await;
        for reader in readers {
            let answer = get(&app, &path, reader).await;
            let cache = answer.headers.get("cache-control").map_or("", |value| value.to_str().unwrap());
            assert!(!cache.is_empty(), "{path} says nothing to caches");
            if cache.contains("no-store") {
                continue;
            }
            kept += 1;
            assert_eq!((answer.status, &answer.body), (plain.status, &plain.body), "{path} for {reader:?}: {cache}");
            assert!(!answer.headers.contains_key("set-cookie"), "{path}");
        }
    }
    assert!(kept > 0, "the pictures at least");
}
