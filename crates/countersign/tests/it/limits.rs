//! Rate limits: per network, per account and per mail address.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use countersign::config::{Config, LoginBy, Rate, RegistrationMode};
use countersign::model::ClientAddress;
use countersign::testing::{Answer, Caller, PASSWORD, TestApp, pictures};
use countersign_db::on_db;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::log::Log;

const ADA: &str = "ada@example.com";
const NOBODY: &str = "abc@example.com";

fn per_minute(tries: u32) -> Rate {
    Rate::new(tries, SignedDuration::from_mins(1)).unwrap()
}

/// Three of each per minute.
fn strict(config: &mut Config) {
    let rate = per_minute(3);
    let limits = config.limits.get_or_insert_default();
    for limit in [
        &mut limits.log_in,
        &mut limits.register,
        &mut limits.mail,
        &mut limits.secret,
        &mut limits.refresh,
        &mut limits.upload,
    ] {
        *limit = rate;
    }
}

async fn guess(caller: &Caller, identifier: &str) -> Answer {
    caller.log_in(identifier, "a wrong password").await
}

fn retry_after(answer: &Answer) -> SignedDuration {
    answer.problem(429, "too_many_requests");
    SignedDuration::from_secs(answer.headers["retry-after"].to_str().unwrap().parse().unwrap())
}

/// Everything that a response reveals.
fn told(answer: &Answer) -> (u16, BTreeMap<String, String>, Vec<u8>) {
    let headers = answer.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
    (answer.status, headers.collect(), answer.body.clone())
}

async fn rows(app: &TestApp) -> i64 {
    let mut read = app.db().read().await.unwrap();
    on_db!(read.conn(), c => sqlx::query_scalar("SELECT COUNT(*) FROM auth_attempts").fetch_one(c).await).unwrap()
}

/// Number of guesses checked in a day, if an attacker tries as soon as it is allowed.
async fn guesses_of_a_day(app: &TestApp, identifier: &str) -> u32 {
    let (begun, mut guesses) = (app.clock.now(), 0);
    while app.clock.now().duration_since(begun) < SignedDuration::from_hours(24) {
        let answer = guess(&app.anonymous(), identifier).await;
        match answer.status {
            401 => guesses += 1,
            _ => app.clock.advance(retry_after(&answer)),
        }
    }
    guesses
}

#[tokio::test]
async fn a_stranger_gets_so_many_guesses_a_day_and_no_more() {
    let app = TestApp::start().await;
    app.user("ada").await;
    // The number in the documentation.
    assert_eq!(guesses_of_a_day(&app, ADA).await, 109);
    assert!(guesses_of_a_day(&app, ADA).await <= 97);
}

#[tokio::test]
async fn whoever_logs_in_meanwhile_gives_the_guesser_nothing() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let (begun, mut guesses) = (app.clock.now(), 0);
    while app.clock.now().duration_since(begun) < SignedDuration::from_hours(24) {
        let answer = guess(&app.anonymous(), ADA).await;
        if answer.status == 401 {
            guesses += 1;
            continue;
        }
        app.clock.advance(retry_after(&answer));
        // From an unknown device, just before the next guess.
        app.anonymous().log_in(ADA, PASSWORD).await.ok(200);
    }
    assert_eq!(guesses, 109);
}

#[tokio::test]
async fn what_is_tried_once_an_hour_does_not_add_up() {
    let app = TestApp::start().await;
    app.user("ada").await;
    for _ in 0..30 {
        guess(&app.anonymous(), ADA).await.problem(401, "wrong_credentials");
        app.clock.advance(SignedDuration::from_hours(1));
    }
}

#[tokio::test]
async fn whoever_has_to_wait_is_told_for_how_long_and_waiting_helps() {
    let app = TestApp::start().await;
    app.user("ada").await;
    for _ in 0..10 {
        guess(&app.anonymous(), ADA).await.problem(401, "wrong_credentials");
    }
    let answer = app.anonymous().log_in(ADA, PASSWORD).await;
    let body = answer.problem(429, "too_many_requests");
    assert_eq!(body["detail"], "Too many attempts; try again in 30 seconds");
    assert_eq!((&body["error"], &body["error_description"]), (&json!("temporarily_unavailable"), &body["detail"]));
    assert_eq!(answer.headers["retry-after"], "30");
    assert_eq!(answer.headers["ratelimit-policy"], "\"account\";q=10;w=36000");
    assert_eq!(answer.headers["ratelimit"], "\"account\";r=0;t=30");
    app.clock.advance(SignedDuration::from_millis(29_500));
    assert_eq!(app.anonymous().log_in(ADA, PASSWORD).await.headers["retry-after"], "1");
    app.clock.advance(SignedDuration::from_millis(500));
    app.anonymous().log_in(ADA, PASSWORD).await.ok(200);
}

#[tokio::test]
async fn unknown_names_are_limited_like_known_ones() {
    let app = TestApp::with(|config| config.login_by = LoginBy::EmailOrUsername).await;
    app.user("ada").await;
    for (known, unknown) in [(ADA, NOBODY), ("ada", "abc")] {
        let mut statuses = Vec::new();
        for _ in 0..40 {
            let (known, unknown) = (guess(&app.anonymous(), known).await, guess(&app.anonymous(), unknown).await);
            assert_eq!(told(&known), told(&unknown));
            statuses.push(known.status);
            app.clock.advance(SignedDuration::from_secs(20));
        }
        // A limit on the username does not apply to the address, so it does not reveal that they are the same user's.
        assert_eq!(statuses[..10], [401; 10]);
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 14);
    }
}

#[tokio::test]
async fn parallel_guesses_are_counted_before_they_are_compared() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let mut guesses = JoinSet::new();
    for _ in 0..40 {
        let caller = app.anonymous();
        guesses.spawn(async move { guess(&caller, ADA).await.status });
    }
    let statuses = guesses.join_all().await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(401), count(429)), (10, 30), "{statuses:?}");
}

#[tokio::test]
async fn two_instances_share_the_counters() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let other = app.another_instance(|config| config);
    for _ in 0..5 {
        guess(&app.anonymous(), ADA).await.problem(401, "wrong_credentials");
        guess(&other.anonymous(), ADA).await.problem(401, "wrong_credentials");
    }
    guess(&app.anonymous(), ADA).await.problem(429, "too_many_requests");
    guess(&other.anonymous(), ADA).await.problem(429, "too_many_requests");
    // Also after a restart.
    guess(&app.another_instance(|config| config).anonymous(), ADA).await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn a_network_has_so_many_failed_logins_whatever_their_names() {
    let app = TestApp::with(strict).await;
    app.user("ada").await;
    let caller = app.anonymous().at("203.0.113.7");
    for _ in 0..5 {
        caller.log_in(ADA, PASSWORD).await.ok(200);
    }
    for name in ["a", "b@example.com", ADA] {
        guess(&caller, name).await.problem(401, "wrong_credentials");
    }
    let answer = guess(&caller, NOBODY).await;
    answer.problem(429, "too_many_requests");
    assert_eq!(answer.headers["ratelimit-policy"], "\"login\";q=3;w=60");
    assert_eq!(answer.headers["ratelimit"], "\"login\";r=0;t=20");
    let by_cookie = caller.post("/api/users/login", json!({ "username": ADA, "password": PASSWORD })).await;
    by_cookie.problem(429, "too_many_requests");
    guess(&app.anonymous().at("203.0.113.8"), NOBODY).await.problem(401, "wrong_credentials");
    app.clock.advance(retry_after(&answer));
    caller.log_in(ADA, PASSWORD).await.ok(200);
    guess(&caller, NOBODY).await.problem(401, "wrong_credentials");
    guess(&caller, NOBODY).await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn addresses_of_one_ipv6_network_share_their_tries() {
    let app = TestApp::with(strict).await;
    for host in 1..=3 {
        let caller = app.anonymous().at(&format!("2001:db8:1:2::{host}"));
        guess(&caller, NOBODY).await.problem(401, "wrong_credentials");
    }
    guess(&app.anonymous().at("2001:db8:1:2:ffff::9"), NOBODY).await.problem(429, "too_many_requests");
    guess(&app.anonymous().at("2001:db8:1:3::1"), NOBODY).await.problem(401, "wrong_credentials");
}

#[tokio::test]
async fn clients_whose_address_is_not_known_share_one_network_and_the_log_says_so_once() {
    let log = Log::listen();
    let app = TestApp::with(strict).await;
    let warnings = || log.count("into_make_service_with_connect_info");
    for name in ["a", "b", "c"] {
        assert_eq!(warnings(), usize::from(name != "a"));
        guess(&app.anonymous().at_unknown_address(), name).await.problem(401, "wrong_credentials");
    }
    guess(&app.anonymous().at_unknown_address(), "d").await.problem(429, "too_many_requests");
    assert_eq!(warnings(), 1);
    // Clients with a known address do not share that limit, and the host's own code has no network.
    guess(&app.anonymous().at("192.0.2.1"), "e").await.problem(401, "wrong_credentials");
    for name in ["f", "g", "h", "i"] {
        guess(&app.anonymous(), name).await.problem(401, "wrong_credentials");
    }
    app.clock.advance(SignedDuration::from_secs(20));
    guess(&app.anonymous().at_unknown_address(), "j").await.problem(401, "wrong_credentials");
    guess(&app.anonymous().at_unknown_address(), "k").await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn a_host_that_knows_addresses_in_another_way_says_them_with_each_request() {
    let log = Log::listen();
    let app = TestApp::with(strict).await;
    let login = async |address: &str, name: &str| {
        let body = Body::from(format!("username={name}&password=wrong"));
        let request = Request::post("/api/users/token")
            .header("host", "localhost")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(ClientAddress::Known(address.parse().unwrap()));
        app.anonymous().at_unknown_address().send_request(request.body(body).unwrap()).await
    };
    for name in ["a", "b", "c"] {
        login("192.0.2.1", name).await.problem(401, "wrong_credentials");
    }
    login("192.0.2.1", "d").await.problem(429, "too_many_requests");
    login("192.0.2.2", "d").await.problem(401, "wrong_credentials");
    assert_eq!(log.count("into_make_service_with_connect_info"), 0);
}

#[tokio::test]
async fn registrations_of_a_network_are_limited() {
    let app = TestApp::with(strict).await;
    let caller = app.anonymous().at("203.0.113.7");
    let register = async |name: &str| {
        let body = json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD });
        caller.post("/api/users", body).await
    };
    for name in ["ada", "bob", "ada"] {
        assert_ne!(register(name).await.status, 429);
    }
    let answer = register("eve").await;
    answer.problem(429, "too_many_requests");
    assert_eq!(answer.headers["ratelimit-policy"], "\"register\";q=3;w=60");
}

#[tokio::test]
async fn mails_that_a_network_causes_are_limited() {
    let app = TestApp::with(strict).await;
    let ada = app.user("ada").await;
    let caller = ada.at("203.0.113.7");
    let profile = format!("/api/users/{}", ada.id);
    caller.post("/api/users/forgot-password", json!({ "email": "a@example.com" })).await.ok(202);
    caller.post("/api/users/resend-verification", json!({ "email": "b@example.com" })).await.ok(202);
    caller.post("/api/users/me/email", json!({ "email": "c@example.com" })).await.ok(202);

    for path in ["/api/users/forgot-password", "/api/users/resend-verification", "/api/users/me/email"] {
        let answer = caller.post(path, json!({ "email": "d@example.com" })).await;
        answer.problem(429, "too_many_requests");
        assert_eq!(answer.headers["ratelimit-policy"], "\"mail\";q=3;w=60");
    }
    caller.patch(&profile, json!({ "email": "e@example.com" })).await.problem(429, "too_many_requests");
    // Requests that send no mail still work.
    caller.patch(&profile, json!({ "username": "countess", "email": ADA })).await.ok(200);
}

#[tokio::test]
async fn an_address_gets_so_many_mails_an_hour_whether_or_not_somebody_has_it() {
    let app = TestApp::start().await;
    app.user("ada").await;
    app.run_jobs().await;
    let ask = async |path: &str, address: &str| {
        app.anonymous().post(&format!("/api/users/{path}"), json!({ "email": address })).await
    };
    for path in ["forgot-password", "resend-verification"].into_iter().cycle().take(20) {
        let (known, unknown) = (ask(path, ADA).await, ask(path, NOBODY).await);
        assert_eq!(told(&known), told(&unknown));
        app.run_jobs().await;
        app.clock.advance(SignedDuration::from_mins(2));
    }
    // Five at once, then one every twelve minutes, plus the registration mail.
    let to_ada = app.mailbox().list().iter().filter(|mail| mail.to.as_str() == ADA).count();
    assert_eq!(to_ada, 1 + 5 + 3);
    let answer = ask("forgot-password", ADA).await;
    assert_eq!(answer.headers["ratelimit-policy"], "\"mail-address\";q=5;w=3600");
    app.clock.advance(retry_after(&answer));
    ask("forgot-password", ADA).await.ok(202);
}

#[tokio::test]
async fn registrations_do_not_send_an_address_more_mails_either() {
    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Verified).await;
    let register = async |number: u32| {
        let body = json!({ "username": format!("ada{number}"), "email": ADA, "password": PASSWORD });
        app.anonymous().post("/api/users", body).await
    };
    for number in 0..5 {
        register(number).await.ok(202);
    }
    register(5).await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn secrets_that_a_network_presents_are_limited() {
    let app = TestApp::with(strict).await;
    let caller = app.anonymous().at("203.0.113.7");
    let present = async |path: &str| {
        let body = json!({ "token": "x", "new_password": "another horse entirely" });
        caller.post(&format!("/api/users/{path}"), body).await
    };
    for path in ["verify-email", "reset-password", "undo-email-change"] {
        present(path).await.ok(400);
    }
    for path in ["verify-email", "reset-password", "undo-email-change"] {
        let answer = present(path).await;
        answer.problem(429, "too_many_requests");
        assert_eq!(answer.headers["ratelimit-policy"], "\"secret\";q=3;w=60");
    }
    let code = json!({ "email": ADA, "code": "000000" });
    caller.post("/api/users/verify-email", code).await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn refused_refresh_tokens_of_a_network_are_limited_and_exchanged_ones_do_not_count() {
    let app = TestApp::with(strict).await;
    let ada = app.user("ada").await;
    let caller = app.anonymous().at("203.0.113.7");
    let refresh = async |token: &str| {
        caller.post_form("/api/users/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    };
    let token = |tokens: &Value| tokens["refresh_token"].as_str().unwrap().to_owned();
    let mut present = token(&app.anonymous().log_in(&ada.email, PASSWORD).await.ok(200));
    for _ in 0..5 {
        present = token(&refresh(&present).await.ok(200));
    }
    for _ in 0..3 {
        refresh("csr_made_up").await.problem(400, "invalid_refresh_token");
    }
    let answer = refresh(&present).await;
    let body = answer.problem(429, "too_many_requests");
    assert_eq!(body["error"], "temporarily_unavailable");
    assert_eq!(answer.headers["ratelimit-policy"], "\"refresh\";q=3;w=60");
}

#[tokio::test]
async fn uploads_of_a_network_are_limited() {
    let app = TestApp::with(strict).await;
    let ada = app.user("ada").await;
    let (caller, path) = (ada.at("203.0.113.7"), format!("/api/users/{}/picture", ada.id));
    let picture = pictures::jpeg(64, 64, &pictures::quarters(64, 64), 0);
    caller.upload(&path, "a.jpg", &picture).await.ok(200);
    for _ in 0..2 {
        caller.upload(&path, "a.jpg", b"no picture").await.problem(400, "invalid_image");
    }
    let answer = caller.upload(&path, "a.jpg", &picture).await;
    answer.problem(429, "too_many_requests");
    assert_eq!(answer.headers["ratelimit-policy"], "\"upload\";q=3;w=60");
}

#[tokio::test]
async fn a_password_that_is_asked_for_once_more_cannot_be_guessed_either() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let confirm =
        async |password: &str| ada.post("/api/users/me/reauthenticate", json!({ "password": password })).await;
    let change = json!({ "current_password": "a guess", "new_password": "another horse entirely" });
    for _ in 0..5 {
        confirm("a guess").await.problem(400, "wrong_password");
        ada.patch("/api/users/me/password", change.clone()).await.problem(400, "wrong_password");
    }
    confirm(PASSWORD).await.problem(429, "too_many_requests");
    ada.patch("/api/users/me/password", change.clone()).await.problem(429, "too_many_requests");
    // A thief with one session does not limit another session, or a login.
    let other = app.anonymous().log_in(ADA, PASSWORD).await.ok(200);
    let other = app.bearer(other["access_token"].as_str().map(str::to_owned));
    other.post("/api/users/me/reauthenticate", json!({ "password": PASSWORD })).await.ok(200);
}

#[tokio::test]
async fn limits_can_be_turned_off() {
    let app = TestApp::with(|config| config.limits = None).await;
    app.user("ada").await;
    let caller = app.anonymous().at("203.0.113.7");
    for _ in 0..110 {
        guess(&caller, ADA).await.problem(401, "wrong_credentials");
    }
    caller.log_in(ADA, PASSWORD).await.ok(200);
    for _ in 0..10 {
        caller.post("/api/users/forgot-password", json!({ "email": ADA })).await.ok(202);
    }
    assert_eq!(rows(&app).await, 0);
}

#[tokio::test]
async fn what_is_forgiven_is_swept_away() {
    let app = TestApp::start().await;
    app.accounts().run_jobs(async {}).await;
    for _ in 0..3 {
        guess(&app.anonymous(), NOBODY).await.problem(401, "wrong_credentials");
    }
    app.anonymous().post("/api/users/forgot-password", json!({ "email": NOBODY })).await.ok(202);
    for (hours, expected) in [(2, 1), (1, 0)] {
        app.clock.advance(SignedDuration::from_hours(hours));
        app.run_jobs().await;
        assert_eq!(rows(&app).await, expected);
    }
}

#[tokio::test]
async fn pages_say_that_it_was_too_often_and_for_how_long() {
    let app = TestApp::with(strict).await;
    let forms: [(&str, &[(&str, &str)]); 4] = [
        ("/login", &[("username", NOBODY), ("password", "a wrong password")]),
        ("/register", &[("username", "ada"), ("email", ADA), ("password", PASSWORD)]),
        ("/forgot-password", &[("email", NOBODY)]),
        ("/reset-password", &[("token", "x"), ("new_password", "another horse entirely")]),
    ];
    for (path, fields) in forms {
        let browser = app.anonymous().at("203.0.113.7").browser();
        browser.submit("/preferences", &[("language", "de"), ("next", "/login")]).await;
        for _ in 0..3 {
            assert_ne!(browser.submit(path, fields).await.status, 429);
        }
        let page = browser.submit(path, fields).await;
        assert_eq!(page.status, 429, "{path}");
        assert!(page.text().contains("Zu viele Versuche."), "{}", page.text());
        assert!(page.headers.contains_key("retry-after") && page.headers.contains_key("ratelimit"), "{path}");
    }
    for _ in 0..40 {
        guess(&app.anonymous(), ADA).await;
        app.clock.advance(SignedDuration::from_mins(2));
    }
    let page = app.browser().submit("/login", &[("username", ADA), ("password", PASSWORD)]).await;
    assert_eq!(page.status, 429);
    assert!(page.text().contains("reset your password by e-mail"), "{}", page.text());
}
