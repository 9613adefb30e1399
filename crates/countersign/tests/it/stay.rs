//! Logins without "keep me logged in", as on a shared device.

use countersign::config::Config;
use countersign::testing::{Answer, Browser, PASSWORD, TestApp};
use jiff::SignedDuration;
use serde_json::json;

use crate::faults;

const NEW_PASSWORD: &str = "another horse entirely";
/// The extra field of the login form when the box is not ticked.
const NOT_TICKED: (&str, &str) = ("unless_kept", "brief");

fn six_hours(config: &mut Config) {
    config.session.brief_ttl = SignedDuration::from_hours(6);
    // So that re-authentication is required again.
    config.session.reauthentication_ttl = SignedDuration::from_mins(30);
}

/// Returns the `Set-Cookie` value for `name`.
fn set_cookie(answer: &Answer, name: &str) -> Option<String> {
    let mut headers = answer.headers.get_all("set-cookie").iter().map(|header| header.to_str().unwrap());
    headers.find(|text| text.starts_with(&format!("{name}="))).map(str::to_owned)
}

#[track_caller]
fn lasts_while_the_browser_is_open(answer: &Answer) {
    let session = set_cookie(answer, "session").unwrap();
    assert!(!session.contains("Max-Age") && !session.contains("Expires"), "{session}");
    assert_eq!(set_cookie(answer, "device"), None, "a device that others use is nobody's own");
}

async fn ends_within(app: &TestApp, browser: &Browser, hours: i64) {
    for hour in 1..=hours {
        assert_eq!(browser.open("/account").await.status, 200, "after {} hours", hour - 1);
        app.clock.advance(SignedDuration::from_hours(1));
    }
    assert_eq!(browser.open("/account").await.status, 303, "however much it was used");
}

#[tokio::test]
async fn a_login_that_is_not_kept_ends_with_the_browser_and_after_some_hours_of_use() {
    let app = TestApp::with(six_hours).await;
    app.user("ada").await;
    let browser = app.browser();
    let fields = [("username", "ada@example.com"), ("password", PASSWORD), NOT_TICKED];
    let answer = browser.submit("/login", &fields).await;
    assert_eq!(answer.status, 303);
    lasts_while_the_browser_is_open(&answer);
    ends_within(&app, &browser, 6).await;
}

#[tokio::test]
async fn a_login_is_kept_if_the_box_is_ticked_or_nothing_is_said_of_it() {
    let app = TestApp::with(six_hours).await;
    app.user("ada").await;
    for fields in [&[][..], &[("keep", "yes")], &[("keep", "yes"), NOT_TICKED], &[("unless_kept", "nonsense")]] {
        let browser = app.browser();
        let fields = [&[("username", "ada@example.com"), ("password", PASSWORD)], fields].concat();
        let answer = browser.submit("/login", &fields).await;
        assert!(set_cookie(&answer, "session").unwrap().contains("; Max-Age=7776000;"), "{fields:?}");
        assert!(set_cookie(&answer, "device").is_some(), "{fields:?}");
        app.clock.advance(SignedDuration::from_hours(24));
        assert_eq!(browser.open("/account").await.status, 200, "{fields:?}");
    }
}

#[tokio::test]
async fn the_box_is_ticked_at_first_and_then_as_it_was_sent() {
    let app = TestApp::start().await;
    let browser = app.browser();
    let is_ticked = |answer: &Answer| {
        let text = answer.text();
        let from = text.find("name=\"keep\"").unwrap();
        text[from..].split('>').next().unwrap().contains(" checked")
    };
    for (language, label) in [("en", "Keep me logged in on this device"), ("de", "Auf diesem Gerät angemeldet bleiben")]
    {
        browser.set_cookie("language", language);
        let page = browser.open("/login").await;
        assert!(is_ticked(&page) && page.text().contains(label), "{}", page.text());
    }
    let wrong = [("username", "ada@example.com"), ("password", "wrong"), NOT_TICKED];
    assert!(!is_ticked(&browser.submit("/login", &wrong).await));
    let wrong = [("username", "ada@example.com"), ("password", "wrong"), NOT_TICKED, ("keep", "yes")];
    assert!(is_ticked(&browser.submit("/login", &wrong).await));
}

#[tokio::test]
async fn what_was_not_to_be_kept_is_not_kept_by_a_new_password_or_a_confirmation() {
    let app = TestApp::with(six_hours).await;
    app.user("ada").await;
    let browser = app.browser();
    browser.submit("/login", &[("username", "ada@example.com"), ("password", PASSWORD), NOT_TICKED]).await;
    app.clock.advance(SignedDuration::from_hours(1));
    let answer = browser.submit("/account/email", &[("email", "new@example.com"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    lasts_while_the_browser_is_open(&answer);
    let fields = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
    let answer = browser.submit("/account/password", &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    lasts_while_the_browser_is_open(&answer);
    // Counted from the re-authentication.
    ends_within(&app, &browser, 6).await;
}

#[tokio::test]
async fn programs_of_browsers_may_choose_too() {
    let app = TestApp::with(six_hours).await;
    app.user("ada").await;
    let log_in = async |stay: serde_json::Value| {
        let body = json!({ "username": "ada@example.com", "password": PASSWORD, "stay": stay });
        app.anonymous().post("/api/users/login", body).await
    };
    let brief = log_in(json!("brief")).await;
    brief.ok(204);
    lasts_while_the_browser_is_open(&brief);
    for kept in [json!("kept"), json!(null)] {
        let kept = log_in(kept).await;
        kept.ok(204);
        assert!(set_cookie(&kept, "session").unwrap().contains("; Max-Age=7776000;"));
    }
    for (unknown, fault) in [(json!("for ever"), "string_pattern_mismatch"), (json!(true), "string_type")] {
        assert_eq!(faults(&log_in(unknown).await.ok(422)), [format!("{fault} body.stay")]);
    }
    let session = set_cookie(&brief, "session").unwrap();
    let me = app.anonymous().with_cookie("session", session["session=".len()..].split(';').next().unwrap());
    me.get("/api/users/me").await.ok(200);
    app.clock.advance(SignedDuration::from_hours(6));
    me.get("/api/users/me").await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_login_that_is_not_kept_lasts_no_longer_than_one_that_is() {
    let app = TestApp::with(|config| {
        config.session.ttl = SignedDuration::from_hours(2);
        config.session.brief_ttl = SignedDuration::from_hours(6);
    })
    .await;
    app.user("ada").await;
    let browser = app.browser();
    browser.submit("/login", &[("username", "ada@example.com"), ("password", PASSWORD), NOT_TICKED]).await;
    ends_within(&app, &browser, 2).await;
}
