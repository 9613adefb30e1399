//! Cross-site requests: other sites cannot make a browser change anything, or frame our pages.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::header::UPGRADE;
use axum::http::{HeaderName, Request, StatusCode};
use axum::routing::any;
use countersign::http::current_user::CurrentUser;
use countersign::pages::LoggedIn;
use countersign::testing::{Answer, PASSWORD, TestApp};
use countersign_server::openapi;
use serde_json::json;

use crate::walk::{Operation, Person, encoded, operations, page_path, page_routes};
use crate::{publish, unlimited_blog};

/// Headers with which browsers mark a cross-site request; older ones send only `Origin`.
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
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "localhost:8000");
    }
    if !content_type.is_empty() {
        request = request.header("content-type", content_type);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.anonymous().send_request(request.body(Body::from(body)).unwrap()).await
}

/// A valid body for an operation, and its content type, so that the operation does not refuse the body.
fn body(operation: &Operation, values: &BTreeMap<String, String>) -> (&'static str, String) {
    match operation.content_type.as_deref() {
        None => ("", String::new()),
        Some("application/json") => ("application/json", json!(values).to_string()),
        Some("application/x-www-form-urlencoded") => {
            let pairs: Vec<String> = values.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
            ("application/x-www-form-urlencoded", pairs.join("&"))
        }
        Some("multipart/form-data") => {
            let file = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\n\r\nx\r\n--x--\r\n";
            ("multipart/form-data; boundary=x", file.to_owned())
        }
        Some(other) => panic!("{other} is a new type of body: say here how it is sent"),
    }
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
            let (content_type, body) = body(&operation, &values);
            let answer = send(&app, &operation.method, &path, &headers, content_type, body).await;
            let what = format!("{} {path} from {elsewhere:?}: {}", operation.method, answer.text());
            assert!(!answer.headers.contains_key("set-cookie"), "{what}");
            assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{what}");
            if operation.needs_login && !path.ends_with("/introspect") || path.ends_with("/login") {
                answer.problem(403, "cross_site");
                refused += 1;
            }
            if path.ends_with("/token") {
                answer.ok(200);
            }
        }
        // A form on another site can only send these content types, and no operation accepts JSON with them.
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
async fn no_answer_to_another_site_sets_a_cookie() {
    let app = unlimited_blog().await;
    let email = app.user("ada").await.email;
    let form = format!("username={}&password={}", encoded(&email), encoded(PASSWORD));
    let log_in = async |headers: &[(&str, &str)]| {
        send(&app, "POST", "/api/users/token", headers, "application/x-www-form-urlencoded", form.clone()).await
    };
    let reset = async |headers: &[(&str, &str)]| {
        app.anonymous().post("/api/users/forgot-password", json!({ "email": email })).await.ok(202);
        app.run_jobs().await;
        let mail = app.mailbox().find_newest_to(&email).unwrap();
        let (_, rest) = mail.text.split_once("token=").unwrap();
        let token: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
        let body = json!({ "token": token, "new_password": PASSWORD }).to_string();
        send(&app, "POST", "/api/users/reset-password", headers, "application/json", body).await
    };
    for elsewhere in ELSEWHERE {
        for answer in [log_in(elsewhere).await, reset(elsewhere).await] {
            answer.ok(200);
            assert!(!answer.headers.contains_key("set-cookie"), "from {elsewhere:?}: {:?}", answer.headers);
        }
    }
    // Programs other than browsers send none of these headers.
    for own in [&[][..], &[("sec-fetch-site", "same-origin")], &[("origin", "http://localhost:8000")]] {
        for answer in [log_in(own).await, reset(own).await] {
            answer.ok(200);
            assert!(answer.cookie("device").is_some(), "{own:?}");
        }
    }
}

#[tokio::test]
async fn what_was_done_is_said_and_taken_away_on_our_own_pages_and_not_where_a_link_leads() {
    let app = unlimited_blog().await;
    let open = async |site: &str| {
        let headers = [("cookie", "done=logged-out"), ("sec-fetch-site", site), ("sec-fetch-mode", "navigate")];
        send(&app, "GET", "/login", &headers, "", String::new()).await
    };
    let followed = open("cross-site").await;
    assert!(!followed.text().contains("You are logged out.") && !followed.headers.contains_key("set-cookie"));
    let own = open("same-origin").await;
    assert!(own.text().contains("You are logged out.") && own.cookie("done").is_some());
}

#[tokio::test]
async fn what_another_site_fetches_with_a_cookie_is_refused_whatever_the_method() {
    let app = unlimited_blog().await;
    let person = Person::new(&app, "ada").await;
    let cookie = cookie_of(&app, &person.user.email).await;
    let mut refused = 0;
    for operation in operations().into_iter().filter(|operation| operation.method == "GET" && operation.needs_login) {
        let (path, _) = person.in_order(&operation);
        for origin in ["https://evil.example", "null", "http://localhost:8001", "http://localhost"] {
            let headers = [("cookie", cookie.as_str()), ("origin", origin)];
            send(&app, "GET", &path, &headers, "", String::new()).await.problem(403, "cross_site");
            refused += 1;
        }
        for headers in [
            &[("cookie", cookie.as_str())][..],
            &[("cookie", &cookie), ("origin", "http://localhost:8000")],
            &[("cookie", &cookie), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
        ] {
            assert_eq!(send(&app, "GET", &path, headers, "", String::new()).await.status, 200, "{path} {headers:?}");
        }
    }
    assert!(refused >= 8, "{refused}");
    // A page is rendered as for a logged-out visitor.
    let headers = [("cookie", cookie.as_str()), ("origin", "https://evil.example")];
    let page = send(&app, "GET", "/account", &headers, "", String::new()).await;
    assert_eq!((page.status, page.headers["location"].to_str().unwrap()), (303, "/login?next=/account"));
}

#[tokio::test]
async fn no_other_site_opens_a_websocket_of_a_host_as_a_visitor() {
    const SWITCH: (StatusCode, [(HeaderName, &str); 1]) = (StatusCode::SWITCHING_PROTOCOLS, [(UPGRADE, "websocket")]);
    let app = TestApp::host(&[&blog::MIGRATIONS], |accounts| {
        let host = Router::new()
            .route("/live", any(async |_: CurrentUser| SWITCH))
            .route("/live-page", any(async |_: LoggedIn| SWITCH))
            .with_state(accounts.clone());
        (countersign::mount(host, &accounts), openapi::<blog::Blog>())
    })
    .await;
    let ada = app.user("ada").await;
    let cookie = cookie_of(&app, &ada.email).await;
    let handshake = async |path: &str, headers: &[(&str, &str)]| {
        let socket = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")];
        send(&app, "GET", path, &[&socket, headers].concat(), "", String::new()).await.status
    };
    let cookie = ("cookie", cookie.as_str());
    let own = ("origin", "http://localhost:8000");
    for (path, refused) in [("/live", 403), ("/live-page", 303)] {
        for elsewhere in ELSEWHERE {
            assert_eq!(handshake(path, &[elsewhere, &[cookie]].concat()).await, refused, "{path} from {elsewhere:?}");
        }
        // `Sec-Fetch-Site` does not replace the check of `Origin`.
        let evil = [cookie, ("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")];
        assert_eq!(handshake(path, &evil).await, refused, "{path}");
        for headers in [&[cookie, own][..], &[cookie, own, ("sec-fetch-site", "same-origin")], &[cookie]] {
            assert_eq!(handshake(path, headers).await, 101, "{path} {headers:?}");
        }
    }
    // Browsers never attach a token automatically.
    let bearer = format!("Bearer {}", ada.token().unwrap());
    let elsewhere = [("authorization", bearer.as_str()), ("origin", "https://app.example.org")];
    assert_eq!(handshake("/live", &elsewhere).await, 101);
    // HTTP/2 has its own handshake (RFC 8441).
    for (origin, status) in [("https://evil.example", 403), ("http://localhost:8000", 101)] {
        let headers = [cookie, ("origin", origin), ("sec-fetch-site", "same-origin")];
        assert_eq!(send(&app, "CONNECT", "/live", &headers, "", String::new()).await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn the_forms_of_our_own_pages_are_taken_of_a_browser_that_says_its_origin_alone() {
    let app = unlimited_blog().await;
    // Plain HTTP under a machine's name: no Fetch Metadata and no secure cookies.
    for (host, origin) in [("nas:8000", "http://nas:8000"), ("NAS:8000", "http://nas:8000")] {
        for path in
            ["/forgot-password", "/reset-password?token=x", "/verify-email?token=x", "/undo-email-change?token=x"]
        {
            let page = send(&app, "GET", path, &[("host", host)], "", String::new()).await;
            assert_eq!(page.status, 200, "{path}");
            // With `no-referrer` the form would send `Origin: null`; `same-origin` would send the URL with its secret.
            let policy = page.headers.get("referrer-policy").map(|policy| policy.to_str().unwrap());
            let expected = if path.contains('?') { "strict-origin" } else { "strict-origin-when-cross-origin" };
            assert_eq!(policy, Some(expected), "{path}");
            let fields = format!("token=x&code=123456&email=ada%40example.com&new_password={}", encoded(PASSWORD));
            let form = path.split('?').next().unwrap();
            let headers = [("host", host), ("origin", origin)];
            let answer = send(&app, "POST", form, &headers, "application/x-www-form-urlencoded", fields).await;
            assert!([303, 400].contains(&answer.status), "{form}: {} {}", answer.status, answer.text());
        }
    }
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
