//! Known devices: attempts of strangers do not lock them out.

use countersign::config::{Config, Rate};
use countersign::testing::{Caller, PASSWORD, TestApp, cheap_config};
use jiff::SignedDuration;
use serde_json::{Value, json};

const ADA: &str = "ada@example.com";
const NEW_PASSWORD: &str = "another horse entirely";

/// One failed login per minute and network.
fn strict(config: &mut Config) {
    let limits = config.limits.get_or_insert_default();
    limits.log_in = Rate::new(1, SignedDuration::from_mins(1)).unwrap();
}

/// Logs in and returns the device cookie.
async fn known_device(app: &TestApp, email: &str) -> String {
    let answer = app.anonymous().log_in(email, PASSWORD).await;
    answer.ok(200);
    answer.cookie("device").expect("every login makes a device known")
}

/// A caller with that device cookie.
fn on_device(app: &TestApp, cookie: &str) -> Caller {
    app.anonymous().with_cookie("device", cookie)
}

/// Guesses passwords until the account is limited.
async fn attack(app: &TestApp, email: &str) {
    for _ in 0..100 {
        if app.anonymous().log_in(email, "a wrong password").await.status == 429 {
            return;
        }
    }
    panic!("nothing ever stopped it");
}

async fn reset_token(app: &TestApp, email: &str) -> String {
    app.anonymous().post("/api/users/forgot-password", json!({ "email": email })).await.ok(202);
    app.run_jobs().await;
    let mail = app.mailbox().find_newest_to(email).expect("a mail");
    let (_, rest) = mail.text.split_once("token=").expect("a link with a token");
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[tokio::test]
async fn a_known_device_logs_in_while_strangers_are_held_back() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let browser = app.browser();
    browser.log_in(ADA, PASSWORD).await;
    let device = browser.cookie("device").expect("every login makes a device known");
    attack(&app, ADA).await;

    app.anonymous().log_in(ADA, PASSWORD).await.problem(429, "too_many_requests");
    assert_eq!(app.browser().log_in(ADA, PASSWORD).await.status, 429);
    on_device(&app, &device).log_in(ADA, PASSWORD).await.ok(200);
    on_device(&app, &device).post("/api/users/login", json!({ "username": ADA, "password": PASSWORD })).await.ok(204);
    assert_eq!(browser.log_in(ADA, PASSWORD).await.status, 303);
    // Its logins do not give strangers new attempts.
    app.anonymous().log_in(ADA, PASSWORD).await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn a_known_device_is_not_held_up_by_others_of_its_network() {
    let app = TestApp::with(strict).await;
    app.user("ada").await;
    let device = known_device(&app, ADA).await;
    let stranger = app.anonymous().at("203.0.113.7");
    stranger.log_in("b@example.com", PASSWORD).await.problem(401, "wrong_credentials");
    stranger.log_in(ADA, PASSWORD).await.problem(429, "too_many_requests");
    on_device(&app, &device).at("203.0.113.7").log_in(ADA, PASSWORD).await.ok(200);
}

#[tokio::test]
async fn a_known_device_is_limited_by_itself_alone() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let (device, other) = (known_device(&app, ADA).await, known_device(&app, ADA).await);
    let guess = async || on_device(&app, &device).log_in(ADA, "a wrong password").await;
    for _ in 0..9 {
        guess().await.problem(401, "wrong_credentials");
    }
    // A successful login resets the device's counter.
    on_device(&app, &device).log_in(ADA, PASSWORD).await.ok(200);
    for _ in 0..10 {
        guess().await.problem(401, "wrong_credentials");
    }
    on_device(&app, &device).log_in(ADA, PASSWORD).await.problem(429, "too_many_requests");
    on_device(&app, &other).log_in(ADA, PASSWORD).await.ok(200);
    app.anonymous().log_in(ADA, PASSWORD).await.ok(200);
}

#[tokio::test]
async fn a_completed_reset_opens_the_way() {
    let app = TestApp::start().await;
    app.user("ada").await;
    attack(&app, ADA).await;
    let token = reset_token(&app, ADA).await;
    let answer = app
        .anonymous()
        .post("/api/users/reset-password", json!({ "token": token, "new_password": NEW_PASSWORD }))
        .await;
    answer.ok(200);
    let device = answer.cookie("device").expect("whoever reads the mail is known");
    // The attacker uses the attempts that the reset has given back.
    attack(&app, ADA).await;
    app.anonymous().log_in(ADA, NEW_PASSWORD).await.problem(429, "too_many_requests");
    on_device(&app, &device).log_in(ADA, NEW_PASSWORD).await.ok(200);

    // The same on the pages.
    app.clock.advance(SignedDuration::from_hours(1));
    let token = reset_token(&app, ADA).await;
    let browser = app.browser();
    let fields = [("token", token.as_str()), ("new_password", PASSWORD)];
    assert_eq!(browser.submit("/reset-password", &fields).await.status, 303);
    attack(&app, ADA).await;
    assert_eq!(browser.log_in(ADA, PASSWORD).await.status, 303);
}

#[tokio::test]
async fn the_cookie_of_a_device_opens_nothing() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let device = known_device(&app, ADA).await;
    on_device(&app, &device).get("/api/users/me").await.problem(401, "not_authenticated");
    app.anonymous().with_cookie("session", &device).get("/api/users/me").await.problem(401, "invalid_token");
    app.bearer(Some(device.clone())).get("/api/users/me").await.problem(401, "invalid_token");
    on_device(&app, &device).log_in(ADA, "a wrong password").await.problem(401, "wrong_credentials");
}

#[tokio::test]
async fn a_device_of_somebody_else_and_a_forged_one_are_strange() {
    let app = TestApp::start().await;
    app.user("ada").await;
    app.user("eve").await;
    let (ada, eve) = (known_device(&app, ADA).await, known_device(&app, "eve@example.com").await);
    attack(&app, ADA).await;
    let mut forged = ada.clone();
    forged.replace_range(30..31, if &ada[30..31] == "A" { "B" } else { "A" });
    for cookie in [eve, forged, ada[1..].to_owned(), String::new(), "x".repeat(3_000)] {
        on_device(&app, &cookie).log_in(ADA, PASSWORD).await.problem(429, "too_many_requests");
    }
    on_device(&app, &ada).log_in(ADA, PASSWORD).await.ok(200);
}

#[tokio::test]
async fn another_password_makes_all_devices_strange_but_the_one_that_chose_it() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let (laptop, phone) = (known_device(&app, ADA).await, known_device(&app, ADA).await);
    let body = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
    let answer = ada.with_cookie("device", &laptop).patch("/api/users/me/password", body).await;
    answer.ok(200);
    let laptop = answer.cookie("device").expect("the device stays known");
    attack(&app, ADA).await;
    on_device(&app, &phone).log_in(ADA, NEW_PASSWORD).await.problem(429, "too_many_requests");
    on_device(&app, &laptop).log_in(ADA, NEW_PASSWORD).await.ok(200);
}

#[tokio::test]
async fn devices_stay_known_when_the_secret_is_replaced_and_for_a_year() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let device = known_device(&app, ADA).await;
    let replaced = app.another_instance(|old| {
        let mut config = cheap_config(countersign::operator::generate_secret_key());
        config.add_previous_secret_key(old.secret_keys()[0].clone());
        config
    });
    attack(&replaced, ADA).await;
    let renewed = on_device(&replaced, &device).log_in(ADA, PASSWORD).await;
    renewed.ok(200);
    let renewed = renewed.cookie("device").expect("it is renewed");
    app.clock.advance(SignedDuration::from_hours(365 * 24 - 1));
    attack(&replaced, ADA).await;
    on_device(&replaced, &renewed).log_in(ADA, PASSWORD).await.ok(200);
    app.clock.advance(SignedDuration::from_hours(1));
    attack(&replaced, ADA).await;
    on_device(&replaced, &device).log_in(ADA, PASSWORD).await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn a_refresh_makes_no_device_known_and_a_login_of_nobody_neither() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let tokens: Value = app.anonymous().log_in(ADA, PASSWORD).await.ok(200);
    let token = tokens["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    assert_eq!(app.anonymous().post_form("/api/users/token", &form).await.cookie("device"), None);
    assert_eq!(app.anonymous().log_in(ADA, "a wrong password").await.cookie("device"), None);
}
