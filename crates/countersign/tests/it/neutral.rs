//! Responses do not reveal whether an account exists: the same status, headers and body bytes with and without one.

use countersign::config::{Config, RegistrationMode};
use countersign::testing::{Answer, Browser, PASSWORD, TestApp};
use jiff::SignedDuration;
use serde_json::{Value, json};

/// The same length as the unknown address, so that the responses have the same length.
const KNOWN: &str = "zoe@example.com";
const UNKNOWN: &str = "eve@example.com";

/// A response without its time and without values echoed from the request.
fn lasting(answer: &Answer, address: &str) -> String {
    let own = address.replace('@', "%40");
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "date" && *name != "x-request-id")
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    headers.sort();
    let text = format!("{}\n{}\n\n{}", answer.status, headers.join("\n"), answer.text());
    text.replace(address, "ADDRESS").replace(&own, "ADDRESS")
}

#[track_caller]
fn are_alike(what: &str, known: &Answer, unknown: &Answer) {
    assert_eq!(lasting(known, KNOWN), lasting(unknown, UNKNOWN), "{what}");
}

fn verified(config: &mut Config) {
    config.registration.mode = RegistrationMode::Verified;
}

async fn post(app: &TestApp, path: &str, body: Value) -> Answer {
    app.anonymous().post(path, body).await
}

/// A site that verifies registrations, with one verified account.
async fn where_addresses_are_proven() -> TestApp {
    let app = TestApp::with(verified).await;
    let body = json!({ "username": "zoe", "email": KNOWN, "password": PASSWORD });
    post(&app, "/api/users", body).await.ok(202);
    app.run_jobs().await;
    let mail = app.mailbox().find_newest_to(KNOWN).unwrap();
    let (_, rest) = mail.text.split_once("token=").unwrap();
    let token = rest.split_whitespace().next().unwrap().to_owned();
    post(&app, "/api/users/verify-email", json!({ "token": token, "password": PASSWORD })).await.ok(200);
    app
}

#[tokio::test]
async fn a_login_answers_a_wrong_password_and_an_unknown_user_byte_for_byte_alike() {
    let app = TestApp::start().await;
    app.user("zoe").await;
    let form = async |address: &str| app.anonymous().log_in(address, "not the password").await;
    let json = async |address: &str| {
        post(&app, "/api/users/login", json!({ "username": address, "password": "not the password" })).await
    };
    let page = async |address: &str| app.browser().log_in(address, "not the password").await;
    for _ in 0..2 {
        are_alike("the form", &form(KNOWN).await, &form(UNKNOWN).await);
        are_alike("the cookie's", &json(KNOWN).await, &json(UNKNOWN).await);
        are_alike("the page", &page(KNOWN).await, &page(UNKNOWN).await);
    }
    assert_eq!(form(KNOWN).await.status, 401);
}

#[tokio::test]
async fn a_forgotten_password_and_a_mail_once_more_answer_byte_for_byte_alike() {
    for app in [TestApp::start().await, where_addresses_are_proven().await] {
        if app.mailbox().find_newest_to(KNOWN).is_none() {
            app.user("zoe").await;
        }
        for path in ["/api/users/forgot-password", "/api/users/resend-verification"] {
            let ask = async |address: &str| post(&app, path, json!({ "email": address })).await;
            for _ in 0..2 {
                are_alike(path, &ask(KNOWN).await, &ask(UNKNOWN).await);
            }
            assert_eq!(ask(KNOWN).await.status, 202);
            // The number of mails per hour to one address is limited.
            app.clock.advance(SignedDuration::from_hours(1));
        }
        let page = async |address: &str| {
            let browser = app.browser();
            let sent = browser.submit("/forgot-password", &[("email", address)]).await;
            let next = browser.open("/forgot-password").await;
            (sent, next)
        };
        let ((known, known_next), (unknown, unknown_next)) = (page(KNOWN).await, page(UNKNOWN).await);
        are_alike("the page", &known, &unknown);
        are_alike("the page after it", &known_next, &unknown_next);
    }
}

#[tokio::test]
async fn a_registration_answers_byte_for_byte_alike_where_addresses_are_proven() {
    let app = where_addresses_are_proven().await;
    let ask = async |address: &str, name: &str| {
        post(&app, "/api/users", json!({ "username": name, "email": address, "password": PASSWORD })).await
    };
    for name in ["mallory", "zoe"] {
        are_alike(name, &ask(KNOWN, name).await, &ask(UNKNOWN, name).await);
    }
    assert_eq!(ask(KNOWN, "mallory").await.status, 202);
    let page = async |address: &str| {
        let browser = app.browser();
        let fields = [("username", "mallory"), ("email", address), ("password", PASSWORD)];
        let sent = browser.submit("/register", &fields).await;
        let next = browser.open(sent.headers["location"].to_str().unwrap()).await;
        (sent, next)
    };
    let ((known, known_next), (unknown, unknown_next)) = (page(KNOWN).await, page(UNKNOWN).await);
    are_alike("the page", &known, &unknown);
    are_alike("the page after it", &known_next, &unknown_next);
    // Guessing the code reveals nothing either.
    let prove = async |address: &str| {
        post(&app, "/api/users/verify-email", json!({ "email": address, "code": "000000" })).await
    };
    are_alike("a code", &prove(KNOWN).await, &prove("ida@example.com").await);
}

/// The response to a change of address, and the account page after the jobs have run.
async fn account(app: &TestApp, browser: &Browser, address: &str) -> (Answer, Answer) {
    let sent = browser.submit("/account/email", &[("email", address)]).await;
    app.run_jobs().await;
    (sent, browser.open("/account").await)
}

#[tokio::test]
async fn a_change_of_the_address_answers_byte_for_byte_alike() {
    for app in [TestApp::start().await, where_addresses_are_proven().await] {
        if app.mailbox().find_newest_to(KNOWN).is_none() {
            app.user("zoe").await;
        }
        let body = json!({ "username": "bob", "email": "bob@example.org", "password": PASSWORD });
        let registered = post(&app, "/api/users", body).await;
        if registered.status == 202 {
            app.run_jobs().await;
            let mail = app.mailbox().find_newest_to("bob@example.org").unwrap();
            let token = mail.text.split_once("token=").unwrap().1.split_whitespace().next().unwrap().to_owned();
            post(&app, "/api/users/verify-email", json!({ "token": token, "password": PASSWORD })).await.ok(200);
        }
        let tokens = app.anonymous().log_in("bob@example.org", PASSWORD).await.ok(200);
        let bob = app.bearer(tokens["access_token"].as_str().map(str::to_owned));
        let ask = async |address: &str| bob.post("/api/users/me/email", json!({ "email": address })).await;
        are_alike("the API", &ask(KNOWN).await, &ask(UNKNOWN).await);
        let state = async |address: &str| {
            ask(address).await.ok(202);
            app.run_jobs().await;
            bob.get("/api/users/me/email").await
        };
        are_alike("what waits for its proof", &state(KNOWN).await, &state(UNKNOWN).await);
        let browser = app.browser();
        browser.log_in("bob@example.org", PASSWORD).await;
        let ((known, known_next), (unknown, unknown_next)) =
            (account(&app, &browser, KNOWN).await, account(&app, &browser, UNKNOWN).await);
        are_alike("the page", &known, &unknown);
        are_alike("the page after it", &known_next, &unknown_next);
        if registered.status == 202 {
            // In this mode a new address must be verified, whichever endpoint changes it.
            let path = format!("/api/users/{}", bob.get("/api/users/me").await.ok(200)["id"].as_str().unwrap());
            let ask = async |address: &str| bob.patch(&path, json!({ "email": address })).await;
            are_alike("the profile", &ask(KNOWN).await, &ask(UNKNOWN).await);
        }
    }
}
