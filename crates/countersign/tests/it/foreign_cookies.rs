//! Cookies set by other applications of the host or its domain: whatever they are, our cookies work as if they were
//! sent alone.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use countersign::config::Config;
use countersign::testing::{Answer, PASSWORD, TestApp};
use serde_json::json;

const ADA: &str = "ada@example.com";

/// A site with an https URL, so that its cookies have `__Host-` names.
fn encrypted(config: &mut Config) {
    config.public_url = "https://a.example".parse().unwrap();
}

/// One of our cookies next to foreign ones of every kind: the name of the kind, and the header lines.
fn every_kind(name: &str, value: &str) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let own = format!("{name}={value}");
    let own = own.as_bytes();
    let line = |parts: &[&[u8]]| vec![parts.concat()];
    let before = |text: &str| line(&[text.as_bytes(), b"; ", own]);
    let after = |text: &str| line(&[own, b"; ", text.as_bytes()]);
    // The form of a session cookie, but not genuine.
    let forged: Vec<String> = (0..7).map(|n| format!("{name}={}{n}", "A".repeat(63))).collect();
    vec![
        ("UTF-8", before("city=M\u{fc}nchen")),
        ("Latin-1", line(&[own, b"; city=M\xfcnchen"])),
        ("bytes that are no text", line(&[b"a=\x80\x9f\xa0\xff; \xf0\x9f=b; ", own, b"; \xc3"])),
        ("an empty name", before("=x; =; =")),
        ("no name", before("x; ; ;;")),
        ("quotes with what is no end of them", line(&[b"a=\"b; c=d\"; e=\"\\\"; ", own, b"; f=\"g"])),
        ("a very long one", before(&format!("a={}", "\u{fc}".repeat(15_000)))),
        ("very many", before(&(0..1_000).map(|n| format!("name-{n}=x")).collect::<Vec<_>>().join("; "))),
        ("its name with rubbish, before", before(&format!("{name}=x; {name}=; {name}; {name}==;{name}=a b"))),
        ("its name with rubbish, after", after(&format!("{name}=x; {name}=; {name}; {name}==;{name}=a b"))),
        ("its name with bytes that are no text", line(&[name.as_bytes(), b"=\xff\xfe; ", own])),
        ("its name with its form", before(&forged.join("; "))),
        ("its name twice with its value", line(&[own, b"; ", own])),
        ("names like it", after(&format!("x{name}=x; {name}2=x; {}=x", name.to_ascii_uppercase()))),
        ("blanks", vec![format!("a = b ;\t {name}\t = \t{value} \t;c=d").into_bytes()]),
        ("several lines", vec![b"a=b".to_vec(), b"c=\xfc".to_vec(), own.to_vec(), b"".to_vec(), b"d=e".to_vec()]),
        ("old style", vec![format!("$Version=\"1\"; {name}=\"{value}\"; $Path=\"/\"").into_bytes()]),
    ]
}

async fn send(app: &TestApp, method: &str, path: &str, cookies: &[Vec<u8>], body: &str) -> Answer {
    let site = app.accounts().config().public_url.as_str();
    let (_, host) = site.split_once("://").unwrap();
    let mut request = Request::builder().method(method).uri(path).header("host", host);
    request = request.header("sec-fetch-site", "same-origin");
    for line in cookies {
        request = request.header("cookie", HeaderValue::from_bytes(line).unwrap());
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/json");
    }
    app.anonymous().send_request(request.body(Body::from(body.to_owned())).unwrap()).await
}

async fn log_in(app: &TestApp, cookies: &[Vec<u8>]) -> Answer {
    let credentials = json!({ "username": ADA, "password": PASSWORD });
    send(app, "POST", "/api/users/login", cookies, &credentials.to_string()).await
}

async fn session(app: &TestApp, name: &str) -> String {
    log_in(app, &[]).await.cookie(name).expect("a session")
}

#[tokio::test]
async fn a_session_goes_on_whatever_cookies_come_with_it() {
    for (app, name) in [(TestApp::start().await, "session"), (TestApp::with(encrypted).await, "__Host-session")] {
        app.user("ada").await;
        let value = session(&app, name).await;
        for (kind, cookies) in every_kind(name, &value) {
            let me = send(&app, "GET", "/api/users/me", &cookies, "").await;
            assert_eq!(me.status, 200, "{name}, {kind}: {}", me.text());
            assert_eq!(me.ok(200)["username"], "ada");
            let page = send(&app, "GET", "/account", &cookies, "").await;
            assert!(page.status == 200 && page.text().contains("ada"), "{name}, {kind}: {}", page.status);
        }
        // A login ends the session sent with it, and a logout ends the current one.
        for (kind, cookies) in every_kind(name, &value) {
            let before = session(&app, name).await;
            let (_, cookies_of_before) = every_kind(name, &before).into_iter().find(|other| other.0 == kind).unwrap();
            let after = log_in(&app, &cookies_of_before).await.cookie(name).unwrap();
            let ended = [format!("{name}={before}").into_bytes()];
            send(&app, "GET", "/api/users/me", &ended, "").await.problem(401, "invalid_token");
            let (_, cookies_of_after) = every_kind(name, &after).into_iter().find(|other| other.0 == kind).unwrap();
            assert_eq!(send(&app, "POST", "/api/users/logout", &cookies_of_after, "").await.status, 204, "{kind}");
            send(&app, "GET", "/api/users/me", &cookies_of_after, "").await.problem(401, "invalid_token");
            // They do not prevent a login.
            assert_eq!(log_in(&app, &cookies).await.status, 204, "{kind}");
        }
    }
}

#[tokio::test]
async fn a_device_stays_known_whatever_cookies_come_with_its_own() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let device = log_in(&app, &[]).await.cookie("device").expect("every login makes a device known");
    // Strangers guess until they are limited.
    for _ in 0..100 {
        if app.anonymous().log_in(ADA, "a wrong password").await.status == 429 {
            break;
        }
    }
    log_in(&app, &[]).await.problem(429, "too_many_requests");
    for (kind, cookies) in every_kind("device", &device) {
        let answer = log_in(&app, &cookies).await;
        assert_eq!(answer.status, 204, "{kind}: {}", answer.text());
    }
}

#[tokio::test]
async fn of_several_devices_that_of_the_user_who_logs_in_counts() {
    let app = TestApp::start().await;
    let mut devices = Vec::new();
    for name in ["eve", "ada", "bob"] {
        let email = app.user(name).await.email;
        devices.push(app.anonymous().log_in(&email, PASSWORD).await.cookie("device").expect("a device"));
    }
    for _ in 0..100 {
        if app.anonymous().log_in(ADA, "a wrong password").await.status == 429 {
            break;
        }
    }
    let [eve, ada, bob] = <[String; 3]>::try_from(devices).unwrap();
    let with = async |values: &[&str]| {
        let cookies: Vec<String> = values.iter().map(|value| format!("device={value}")).collect();
        log_in(&app, &[cookies.join("; ").into_bytes()]).await
    };
    with(&[&eve, &bob]).await.problem(429, "too_many_requests");
    for order in [[&eve, &ada, &bob], [&bob, &eve, &ada], [&ada, &bob, &eve]] {
        with(&order.map(String::as_str)).await.ok(204);
    }
}

#[tokio::test]
async fn what_was_chosen_and_done_is_shown_whatever_cookies_come_with_that() {
    let app = TestApp::start().await;
    for (name, value, sign) in [
        ("language", "de", "<html lang=\"de\""),
        ("theme", "dark", "data-theme=\"dark\""),
        ("done", "logged-out", "You are logged out."),
    ] {
        for (kind, cookies) in every_kind(name, value) {
            let page = send(&app, "GET", "/login", &cookies, "").await;
            assert!(page.text().contains(sign), "{name}, {kind}: {}", page.text());
        }
    }
}

#[tokio::test]
async fn of_two_living_sessions_neither_counts_and_of_a_living_and_an_ended_one_the_living_does() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let [first, second] = [session(&app, "session").await, session(&app, "session").await];
    let me = async |values: &[&str]| {
        let cookies: Vec<String> = values.iter().map(|value| format!("session={value}")).collect();
        send(&app, "GET", "/api/users/me", &[cookies.join("; ").into_bytes()], "").await
    };
    me(&[&first, &second]).await.problem(401, "invalid_token");
    me(&[&first, &second, &first]).await.problem(401, "invalid_token");
    send(&app, "POST", "/api/users/logout", &[format!("session={first}").into_bytes()], "").await.ok(204);
    for values in [[&first, &second], [&second, &first]] {
        me(&values.map(String::as_str)).await.ok(200);
    }
    // Lookups cost work, so their number is bounded.
    let forged: Vec<String> = (10..18).map(|n| format!("{}{n}", "A".repeat(62))).collect();
    let many: Vec<&str> = forged.iter().map(String::as_str).chain([second.as_str()]).collect();
    me(&many).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_name_with_a_prefix_has_nothing_else_before_it() {
    let app = TestApp::with(encrypted).await;
    app.user("ada").await;
    let value = session(&app, "__Host-session").await;
    // Browsers match a name's prefix literally, so blanks that only the server trims would bypass that check.
    for start in
        ["\u{a0}", "\u{85}", "\u{2003}", "\u{3000}", "\u{feff}", "x\t", "\"", "$", "=", "__host-session=x,", ""]
    {
        let name = if start.is_empty() { "session" } else { "__Host-session" };
        let line = format!("{start}{name}={value}").into_bytes();
        let answer = send(&app, "GET", "/api/users/me", &[line], "").await;
        assert_eq!(answer.status, 401, "{start:?}: {}", answer.text());
    }
    for start in [&b"\xa0"[..], b"\x85", b"\xff"] {
        let line = [start, format!("__Host-session={value}").as_bytes()].concat();
        send(&app, "GET", "/api/users/me", &[line], "").await.problem(401, "not_authenticated");
    }
}
