//! The same request sent several times at once: one succeeds, the others get a proper error, and nothing breaks.

use countersign::config::RegistrationMode;
use countersign::testing::{Answer, Caller, PASSWORD, TestApp};
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::token_in_mail;

const AT_ONCE: usize = 6;

/// Sends `AT_ONCE` concurrent requests to one path, each with the body that `vary` returns.
async fn at_once(caller: &Caller, path: &str, vary: impl Fn(usize) -> Value) -> [Answer; AT_ONCE] {
    let send = |number| caller.post(path, vary(number));
    tokio::join!(send(0), send(1), send(2), send(3), send(4), send(5)).into()
}

/// Asserts that one response has the status `winner` and all others `loser`.
#[track_caller]
fn one_wins(answers: &[Answer], winner: u16, loser: u16) {
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == winner).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == loser).count(), AT_ONCE - 1, "{statuses:?}");
}

fn registration(name: &str, email: &str) -> Value {
    json!({ "username": name, "email": email, "password": PASSWORD })
}

#[tokio::test]
async fn of_many_who_register_one_address_at_once_one_wins() {
    let app = TestApp::start().await;
    let spellings = ["ada@bücher.example", "ADA@Bücher.Example", "ada@xn--bcher-kva.example"];
    let answers = at_once(&app.anonymous(), "/api/users", |number| {
        registration(&format!("ada {number}"), spellings[number % spellings.len()])
    })
    .await;
    one_wins(&answers, 201, 400);
    for loser in answers.iter().filter(|answer| answer.status == 400) {
        loser.problem(400, "email_taken");
    }
}

#[tokio::test]
async fn of_many_who_use_an_invitation_at_once_as_many_get_in_as_it_is_for() {
    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Invite).await;
    let code = app.accounts().invite(None, 1, SignedDuration::from_hours(1)).await.unwrap();
    let answers = at_once(&app.anonymous(), "/api/users", |number| {
        let mut body = registration(&format!("ada {number}"), &format!("ada{number}@example.com"));
        body["invitation"] = json!(code.expose_secret());
        body
    })
    .await;
    one_wins(&answers, 201, 403);
}

#[tokio::test]
async fn of_many_who_prove_an_address_at_once_one_wins() {
    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Verified).await;
    app.anonymous().post("/api/users", registration("ada", "ada@example.com")).await.ok(202);
    app.run_jobs().await;
    let token = token_in_mail(&app, "ada@example.com");
    let answers =
        at_once(&app.anonymous(), "/api/users/verify-email", |_| json!({ "token": token, "password": PASSWORD })).await;
    one_wins(&answers, 200, 400);
    app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);
}

#[tokio::test]
async fn of_many_who_prove_one_name_at_once_one_gets_it() {
    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Verified).await;
    let address = |number| format!("ada{number}@example.com");
    for number in 0..AT_ONCE {
        app.anonymous().post("/api/users", registration("ada", &address(number))).await.ok(202);
    }
    app.run_jobs().await;
    let tokens: Vec<String> = (0..AT_ONCE).map(|number| token_in_mail(&app, &address(number))).collect();
    let answers =
        at_once(&app.anonymous(), "/api/users/verify-email", |n| json!({ "token": tokens[n], "password": PASSWORD }))
            .await;
    one_wins(&answers, 200, 400);
    for loser in answers.iter().filter(|answer| answer.status == 400) {
        loser.problem(400, "username_taken");
    }
}

#[tokio::test]
async fn of_many_wrong_codes_at_once_five_are_compared_at_the_most() {
    let app = TestApp::start().await;
    app.user("ada").await;
    app.run_jobs().await;
    let mail = app.mailbox().find_newest_to("ada@example.com").unwrap();
    let mut words = mail.text.split(|c: char| !c.is_ascii_digit());
    let code = words.find(|word| word.len() == 6).expect("a code").to_owned();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let answers =
        at_once(&app.anonymous(), "/api/users/verify-email", |_| json!({ "email": "ada@example.com", "code": wrong }))
            .await;
    assert!(answers.iter().all(|answer| answer.status == 400));
    let right = json!({ "email": "ada@example.com", "code": code });
    app.anonymous().post("/api/users/verify-email", right).await.problem(400, "invalid_verification");
}

#[tokio::test]
async fn of_many_who_confirm_or_undo_a_change_of_address_at_once_one_wins() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    ada.post("/api/users/me/email", json!({ "email": "ada@example.org" })).await.ok(202);
    app.run_jobs().await;
    let token = token_in_mail(&app, "ada@example.org");
    let answers = at_once(&app.anonymous(), "/api/users/verify-email", |_| json!({ "token": token })).await;
    one_wins(&answers, 200, 400);
    app.run_jobs().await;
    let token = token_in_mail(&app, "ada@example.com");
    let answers = at_once(&app.anonymous(), "/api/users/undo-email-change", |_| json!({ "token": token })).await;
    one_wins(&answers, 200, 400);
}

#[tokio::test]
async fn two_who_confirm_the_same_new_address_at_once_do_not_both_get_it() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let mut tokens = Vec::new();
    for user in [&ada, &eve] {
        user.post("/api/users/me/email", json!({ "email": "wanted@example.org" })).await.ok(202);
        app.run_jobs().await;
        tokens.push(token_in_mail(&app, "wanted@example.org"));
    }
    let confirm = async |token: &str| app.anonymous().post("/api/users/verify-email", json!({ "token": token })).await;
    let (one, other) = tokio::join!(confirm(&tokens[0]), confirm(&tokens[1]));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{} {}", one.text(), other.text());
}

#[tokio::test]
async fn an_account_that_is_deleted_and_changed_at_once_is_gone_and_nothing_breaks() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let path = format!("/api/users/{}", ada.id);
    let change = json!({ "current_password": PASSWORD, "new_password": "another horse entirely" });
    let (first, second, patched, changed, asked) = tokio::join!(
        ada.delete(&path),
        ada.delete(&path),
        ada.patch(&path, json!({ "username": "countess" })),
        ada.patch("/api/users/me/password", change),
        ada.post("/api/users/me/email", json!({ "email": "ada@example.org" })),
    );
    for answer in [&first, &second, &patched, &changed, &asked] {
        assert!(answer.status < 500, "{}", answer.text());
    }
    assert!(first.status == 204 || second.status == 204, "{} {}", first.status, second.status);
    app.anonymous().get(&path).await.problem(404, "user_not_found");
    // Jobs of the other requests run without an account, or do nothing.
    app.run_jobs().await;
}
