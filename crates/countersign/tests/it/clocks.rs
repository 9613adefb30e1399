//! A clock that was ahead for a while: rows written meanwhile lock nobody out once it is right again.

use countersign::config::RegistrationMode;
use countersign::testing::{Answer, PASSWORD, TestApp, pictures};
use jiff::SignedDuration;
use serde_json::{Value, json};

const ADA: &str = "ada@example.com";
const DAY: SignedDuration = SignedDuration::from_hours(24);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

async fn log_in(app: &TestApp) -> Answer {
    app.anonymous().log_in(ADA, PASSWORD).await
}

async fn guess(app: &TestApp) -> Answer {
    app.anonymous().log_in(ADA, "a wrong password").await
}

async fn forgot_password(app: &TestApp) -> Answer {
    app.anonymous().post("/api/users/forgot-password", json!({ "email": ADA })).await
}

async fn refresh(app: &TestApp, tokens: &Value) -> Answer {
    let token = tokens["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    app.anonymous().post_form("/api/users/token", &form).await
}

fn mails_to_ada(app: &TestApp) -> usize {
    app.mailbox().list().iter().filter(|mail| mail.to.as_str() == ADA).count()
}

#[tokio::test]
async fn a_login_while_the_clock_was_ahead_locks_nobody_out() {
    // Also ahead by less than the longest wait, which looks plausible.
    for ahead in [DAY, SignedDuration::from_mins(10), MINUTE] {
        let app = TestApp::start().await;
        app.user("ada").await;
        app.clock.advance(ahead);
        log_in(&app).await.ok(200);
        guess(&app).await.problem(401, "wrong_credentials");
        app.clock.advance(-ahead);
        log_in(&app).await.ok(200);
    }
}

#[tokio::test]
async fn guesses_while_the_clock_was_ahead_lock_nobody_out_and_still_count() {
    let app = TestApp::start().await;
    app.user("ada").await;
    app.clock.advance(DAY);
    for _ in 0..10 {
        guess(&app).await.problem(401, "wrong_credentials");
    }
    log_in(&app).await.problem(429, "too_many_requests");

    app.clock.advance(-DAY);

    log_in(&app).await.ok(200);
    guess(&app).await.problem(401, "wrong_credentials");
    // The eleventh guess.
    assert_eq!(guess(&app).await.headers["ratelimit"], "\"account\";r=0;t=60");
}

#[tokio::test]
async fn a_wait_that_a_clock_somewhat_ahead_has_set_is_waited_for() {
    let app = TestApp::start().await;
    app.user("ada").await;
    app.clock.advance(MINUTE);
    for _ in 0..10 {
        guess(&app).await.problem(401, "wrong_credentials");
    }
    app.clock.advance(-MINUTE);
    assert_eq!(
        log_in(&app).await.problem(429, "too_many_requests")["detail"],
        "Too many attempts; try again in 90 seconds"
    );
    app.clock.advance(SignedDuration::from_secs(90));
    log_in(&app).await.ok(200);
}

#[tokio::test]
async fn mails_while_the_clock_was_ahead_use_up_nobodys_mails() {
    let app = TestApp::start().await;
    app.user("ada").await;
    app.clock.advance(DAY);
    for _ in 0..5 {
        forgot_password(&app).await.ok(202);
    }
    forgot_password(&app).await.problem(429, "too_many_requests");

    app.clock.advance(-DAY);

    for _ in 0..5 {
        forgot_password(&app).await.ok(202);
    }
    forgot_password(&app).await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn an_instance_whose_clock_is_a_minute_behind_gives_no_mails_away() {
    let app = TestApp::start().await;
    for behind in [SignedDuration::ZERO, MINUTE] {
        app.clock.advance(-behind);
        let statuses: Vec<u16> = {
            let mut statuses = Vec::new();
            for _ in 0..6 {
                statuses.push(forgot_password(&app).await.status);
            }
            statuses
        };
        assert_eq!(statuses.iter().filter(|status| **status == 202).count(), if behind.is_zero() { 5 } else { 0 });
    }
}

#[tokio::test]
async fn what_was_promised_while_the_clock_was_ahead_is_done_at_once() {
    for ahead in [DAY, SignedDuration::from_mins(30)] {
        let app = TestApp::start().await;
        let ada = app.user("ada").await;
        let picture = pictures::jpeg(64, 64, &pictures::quarters(64, 64), 0);
        ada.upload(&format!("/api/users/{}/picture", ada.id), "a.jpg", &picture).await.ok(200);
        app.run_jobs().await;
        crate::confirm(&app, &ada.email).await;
        let before = mails_to_ada(&app);
        app.clock.advance(ahead);
        let tokens = log_in(&app).await.ok(200);
        let ada_ahead = app.bearer(tokens["access_token"].as_str().map(str::to_owned));
        // Enqueues a mail with a link, a notice, and the deletion of a file.
        forgot_password(&app).await.ok(202);
        let body = json!({ "current_password": PASSWORD, "new_password": "another horse entirely" });
        ada_ahead.patch("/api/users/me/password", body).await.ok(200);
        ada_ahead.delete(&format!("/api/users/{}/picture", ada.id)).await.ok(200);
        assert_eq!(app.accounts().list_jobs().await.unwrap().len(), 3);

        app.clock.advance(-ahead);

        assert_eq!(app.accounts().job_backlog().await.unwrap().due, 3);
        assert_eq!(app.run_jobs().await, 3);
        assert!(app.accounts().list_jobs().await.unwrap().is_empty());
        assert_eq!(mails_to_ada(&app), before + 1, "what the link was for has become pointless");
    }
}

#[tokio::test]
async fn what_comes_again_comes_again_after_the_clock_was_ahead_and_no_sooner_than_it_should() {
    let app = TestApp::start().await;
    app.clock.advance(DAY + DAY);
    app.accounts().run_jobs(async {}).await;
    app.clock.advance(-DAY - DAY);
    assert_eq!(app.run_jobs().await, 2);
    assert_eq!(app.run_jobs().await, 0);
    app.clock.advance(SignedDuration::from_mins(10));
    assert_eq!(app.run_jobs().await, 1);
    let backlog = app.accounts().job_backlog().await.unwrap();
    assert_eq!((backlog.due, backlog.later, backlog.given_up, backlog.due_since), (0, 2, 0, None));
}

#[tokio::test]
async fn a_code_is_found_behind_those_of_a_clock_that_was_ahead() {
    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Verified).await;
    let register = async |name: &str| {
        let body = json!({ "username": name, "email": ADA, "password": PASSWORD });
        app.anonymous().post("/api/users", body).await.ok(202)
    };
    app.clock.advance(DAY);
    for name in ["one", "two", "three"] {
        register(name).await;
    }
    app.clock.advance(-DAY);
    app.run_jobs().await;
    register("ada").await;
    app.run_jobs().await;
    let mail = app.mailbox().find_newest_to(ADA).unwrap();
    let code = mail.text.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6).unwrap();
    let body = json!({ "email": ADA, "code": code, "password": PASSWORD });
    app.anonymous().post("/api/users/verify-email", body).await.ok(200);
    assert_eq!(app.anonymous().log_in(ADA, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_session_of_a_clock_that_was_ahead_goes_on_but_its_login_is_not_recent() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.clock.advance(DAY);
    let tokens = log_in(&app).await.ok(200);
    app.clock.advance(-DAY);
    let tokens = refresh(&app, &tokens).await.ok(200);
    let caller = app.bearer(tokens["access_token"].as_str().map(str::to_owned));

    caller.delete(&format!("/api/users/{}", ada.id)).await.problem(403, "reauthentication_required");

    let confirmed = caller.post("/api/users/me/reauthenticate", json!({ "password": PASSWORD })).await.ok(200);
    let caller = app.bearer(confirmed["access_token"].as_str().map(str::to_owned));
    caller.delete(&format!("/api/users/{}", ada.id)).await.ok(204);
}

#[tokio::test]
async fn a_session_in_use_is_noted_again_once_the_clock_is_right() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let ahead = SignedDuration::from_mins(20);
    app.clock.advance(ahead);
    ada.get("/api/users/me").await.ok(200);
    app.clock.advance(-ahead);
    let sessions = ada.get("/api/users/me/sessions").await.ok(200);
    assert_eq!(sessions["sessions"][0]["last_seen_at"], app.clock.now().to_string());
}

#[tokio::test]
async fn an_exchange_while_the_clock_was_ahead_is_forgiven_for_half_a_minute_and_no_longer() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let first = log_in(&app).await.ok(200);
    app.clock.advance(DAY);
    let second = refresh(&app, &first).await.ok(200);
    app.clock.advance(-DAY);

    assert_eq!(refresh(&app, &first).await.ok(200)["refresh_token"], second["refresh_token"]);
    app.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(refresh(&app, &first).await.ok(200)["refresh_token"], second["refresh_token"]);
    app.clock.advance(SignedDuration::from_secs(1));
    refresh(&app, &first).await.problem(400, "refresh_token_reused");
}

#[tokio::test]
async fn what_was_counted_by_a_clock_that_was_ahead_is_swept_away() {
    let app = TestApp::start().await;
    app.accounts().run_jobs(async {}).await;
    app.clock.advance(DAY);
    for _ in 0..10 {
        guess(&app).await.problem(401, "wrong_credentials");
    }
    app.clock.advance(-DAY);
    app.clock.advance(SignedDuration::from_mins(10));
    app.run_jobs().await;
    // The attempts are gone, even when the clock reaches the time they were written with.
    app.clock.advance(DAY - SignedDuration::from_mins(10));
    log_in(&app).await.problem(401, "wrong_credentials");
}
