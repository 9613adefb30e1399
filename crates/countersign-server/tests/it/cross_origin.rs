//! Cross-origin use of the API: nothing is allowed unless `CORS_ORIGINS` names the origin, and then only access tokens.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use countersign::Accounts;
use countersign::config::HttpPolicy;
use countersign::testing::{Answer, PASSWORD, TestApp};
use countersign_server::{
    CrossOrigins, Host, HostError, HttpSettings, NoCommands, NoSettings, OpenApiRouter, assemble, openapi,
};
use serde_json::json;

use crate::current_database;
use crate::sandbox::Sandbox;

const APP: &str = "https://app.example.org";

/// A host with a handler that panics.
struct Faulty;

impl Host for Faulty {
    const NAME: &'static str = "faulty";
    const ABOUT: &'static str = "Accounts, and a handler that panics";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = NoSettings;
    type State = Accounts;
    type Commands = NoCommands;

    async fn state(accounts: Accounts, _: &NoSettings) -> Result<Accounts, HostError> {
        Ok(accounts)
    }

    fn routes(_: &NoSettings, http: &HttpPolicy) -> OpenApiRouter<Accounts> {
        countersign::http::routes(http).route("/api/fault", axum::routing::get(fault))
    }
}

#[expect(clippy::panic, reason = "the test is about panics")]
async fn fault() {
    panic!("as it happens")
}

async fn app(origins: &str, request_time_max: Duration) -> TestApp {
    let mut http = HttpSettings::default();
    http.cross_origins = CrossOrigins::parse(origins).unwrap();
    http.request_time_max = request_time_max;
    TestApp::host(&[], |accounts| (assemble::<Faulty>(accounts, &NoSettings {}, &http), openapi::<Faulty>())).await
}

async fn shared() -> TestApp {
    app(&format!("{APP},http://localhost:5173"), HttpSettings::default().request_time_max).await
}

async fn send(app: &TestApp, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("host", "localhost:8000");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    app.anonymous().send_request(request.body(Body::from(body.to_owned())).unwrap()).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let mut values = answer.headers.get_all(name).iter().map(|value| value.to_str().unwrap());
    let value = values.next();
    assert_eq!(values.next(), None, "{name} is there twice");
    value
}

fn shares(answer: &Answer) -> bool {
    answer.headers.keys().any(|name| name.as_str().starts_with("access-control-"))
}

#[tokio::test]
async fn a_preflight_of_an_origin_that_is_set_is_answered_wherever_the_api_is() {
    let app = shared().await;
    let preflight = [
        ("origin", APP),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    for path in ["/api/users/me", "/api/users", "/api/users/token", "/.well-known/jwks.json", "/api/nothing"] {
        let answer = send(&app, "OPTIONS", path, &preflight, "").await;
        assert_eq!((answer.status, answer.text().as_str()), (204, ""), "{path}");
        for (name, value) in [
            ("access-control-allow-origin", APP),
            ("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE"),
            ("access-control-allow-headers", "authorization, content-type"),
            ("access-control-max-age", "7200"),
            ("vary", "origin"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(header(&answer, name), Some(value), "{path}");
        }
        assert!(header(&answer, "x-request-id").is_some(), "{path}");
        assert_eq!(header(&answer, "access-control-allow-credentials"), None, "{path}");
    }
    // Without preflight headers, it is not a browser's preflight.
    send(&app, "OPTIONS", "/api/users/me", &[("origin", APP)], "").await.problem(405, "method_not_allowed");
}

#[tokio::test]
async fn a_page_of_an_origin_that_is_set_logs_in_and_acts_by_tokens() {
    let app = shared().await;
    let email = app.user("ada").await.email;
    let form = format!("username={}&password={}", email.replace('@', "%40"), PASSWORD.replace(' ', "+"));
    for origin in [APP, "http://localhost:5173"] {
        let from = [("origin", origin), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")];
        let form_type = ("content-type", "application/x-www-form-urlencoded");
        let tokens = send(&app, "POST", "/api/users/token", &[&from[..], &[form_type]].concat(), &form).await;
        assert_eq!(header(&tokens, "access-control-allow-origin"), Some(origin));
        // No browser credentials are used.
        assert_eq!((header(&tokens, "set-cookie"), header(&tokens, "access-control-allow-credentials")), (None, None));
        let bearer = format!("Bearer {}", tokens.ok(200)["access_token"].as_str().unwrap());
        let me = send(&app, "GET", "/api/users/me", &[&from[..], &[("authorization", &bearer)]].concat(), "").await;
        assert_eq!(me.ok(200)["username"], "ada");
        assert_eq!((header(&me, "access-control-allow-origin"), header(&me, "vary")), (Some(origin), Some("origin")));
    }
}

#[tokio::test]
async fn a_cookie_counts_for_nothing_from_an_origin_that_is_set() {
    let app = shared().await;
    let email = app.user("ada").await.email;
    let login = json!({ "username": email, "password": PASSWORD });
    let session = app.anonymous().post("/api/users/login", login.clone()).await.cookie("session").unwrap();
    let cookie = format!("session={session}");
    for from in
        [&[("origin", APP)][..], &[("origin", APP), ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")]]
    {
        let me = send(&app, "GET", "/api/users/me", &[from, &[("cookie", &cookie)]].concat(), "").await;
        me.problem(403, "cross_site");
        assert_eq!(header(&me, "access-control-allow-credentials"), None);
        let json = ("content-type", "application/json");
        let set = send(&app, "POST", "/api/users/login", &[from, &[json]].concat(), &login.to_string()).await;
        set.problem(403, "cross_site");
        assert_eq!(header(&set, "set-cookie"), None);
    }
}

#[tokio::test]
async fn an_error_is_shared_like_every_answer() {
    let (patient, hurried) = (shared().await, app(APP, Duration::from_millis(1)).await);
    // There, a request that needs the database times out.
    let mut held = Vec::new();
    for _ in 0..hurried.db().pool_states()[0].connections_max {
        held.push(hurried.db().read().await.unwrap());
    }
    let json = ("content-type", "application/json");
    for (app, method, path, headers, body, status) in [
        (&patient, "GET", "/api/users/me", &[][..], "", 401),
        (&patient, "GET", "/api/users/me", &[("authorization", "Bearer x")], "", 401),
        (&patient, "POST", "/api/users", &[json], "{}", 422),
        (&patient, "POST", "/api/users", &[json], "{", 422),
        (&patient, "POST", "/api/users", &[("content-type", "text/plain")], "{}", 415),
        (&patient, "GET", "/api/nothing", &[], "", 404),
        (&patient, "PUT", "/api/users", &[], "", 405),
        (&patient, "GET", "/api/fault", &[], "", 500),
        (&hurried, "GET", "/api/users/01890a5d-ac96-774b-bcce-b302099a8057", &[], "", 503),
    ] {
        let answer = send(app, method, path, &[&[("origin", APP)], headers].concat(), body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        assert_eq!(header(&answer, "access-control-allow-origin"), Some(APP), "{method} {path}");
        let exposed = header(&answer, "access-control-expose-headers").unwrap_or_default();
        for name in ["www-authenticate", "retry-after", "ratelimit", "ratelimit-policy", "x-request-id"] {
            assert!(exposed.split(", ").any(|found| found == name), "{method} {path}: {exposed}");
        }
        assert!(header(&answer, "vary").is_some_and(|vary| vary.contains("origin")), "{method} {path}");
    }
}

#[tokio::test]
async fn other_origins_and_pages_are_not_shared_and_caches_know_it() {
    let app = shared().await;
    let others = [
        "https://evil.example",
        "https://app.example.org.evil.example",
        "https://app.example.org:8443",
        "http://app.example.org",
        "https://APP.example.org",
        "http://localhost:5174",
        "null",
        "*",
    ];
    for origin in others {
        for (method, path) in [("GET", "/api/users/me"), ("OPTIONS", "/api/users"), ("GET", "/.well-known/jwks.json")] {
            let headers = [("origin", origin), ("access-control-request-method", "POST")];
            let answer = send(&app, method, path, &headers, "").await;
            assert!(!shares(&answer), "{method} {path} to {origin}: {:?}", answer.headers);
            assert_eq!(header(&answer, "vary"), Some("origin"), "{method} {path} to {origin}");
        }
    }
    let unasked = send(&app, "GET", "/api/users/me", &[], "").await;
    assert!(!shares(&unasked) && header(&unasked, "vary") == Some("origin"));
    for path in
        ["/login", "/account", "/health", "/openapi.json", "/docs", "/static/profile_pics/default.jpg", "/apiary"]
    {
        for method in ["GET", "OPTIONS"] {
            let headers = [("origin", APP), ("access-control-request-method", "GET")];
            let answer = send(&app, method, path, &headers, "").await;
            assert!(!shares(&answer), "{method} {path}: {:?}", answer.headers);
        }
    }
}

#[tokio::test]
async fn the_setting_names_the_origins_and_without_it_there_are_none() {
    let database = current_database().await;
    let preflight = [("Origin", APP), ("Access-Control-Request-Method", "GET")];
    let alone = Sandbox::with_database(database.url());
    let closed = alone.start("serve");
    let refused = closed.request("OPTIONS", "/api/users/me", &preflight, "");
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (405, None));
    let sandbox = Sandbox::with_database(database.url()).set("CORS_ORIGINS", APP);
    let open = sandbox.start("serve");
    let taken = open.request("OPTIONS", "/api/users/me", &preflight, "");
    assert_eq!((taken.status, taken.header("access-control-allow-origin")), (204, Some(APP)));
    for (value, reason) in
        [("*", "list every origin"), ("https://app.example.org/", "no slash at its end"), ("app", "expected origins")]
    {
        let ended = Sandbox::with_database(database.url()).set("CORS_ORIGINS", value).run(&["serve"]).with(1);
        assert!(ended.stderr.contains("CORS_ORIGINS") && ended.stderr.contains(reason), "{}", ended.stderr);
    }
}
