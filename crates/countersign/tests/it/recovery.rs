//! Flows by mail: verification, password resets, changes of the address, notices.

use countersign::config::{Config, RegistrationMode};
use countersign::testing::{PASSWORD, TestApp, User};
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::{code_in_mail, confirm, token_in_mail};

const NEW_PASSWORD: &str = "another horse entirely";

fn mails_to(app: &TestApp, address: &str) -> usize {
    app.mailbox().list().iter().filter(|mail| mail.to.as_str() == address).count()
}

async fn forgot(app: &TestApp, address: &str) -> Vec<u8> {
    let answer = app.anonymous().post("/api/users/forgot-password", json!({ "email": address })).await;
    answer.ok(202);
    answer.body
}

/// Requests a password reset and returns the token from the mail.
async fn reset_token(app: &TestApp, address: &str) -> String {
    forgot(app, address).await;
    app.run_jobs().await;
    token_in_mail(app, address)
}

async fn reset(app: &TestApp, token: &str, password: &str) -> countersign::testing::Answer {
    let body = json!({ "token": token, "new_password": password });
    app.anonymous().post("/api/users/reset-password", body).await
}

async fn verify(app: &TestApp, body: Value) -> countersign::testing::Answer {
    app.anonymous().post("/api/users/verify-email", body).await
}

/// Completes a registration with the newest mail to `address`.
async fn complete(app: &TestApp, address: &str) {
    verify(app, json!({ "token": token_in_mail(app, address), "password": PASSWORD })).await.ok(200);
}

fn verified(config: &mut Config) {
    config.registration.mode = RegistrationMode::Verified;
}

async fn is_logged_in(user: &User) -> bool {
    user.get("/api/users/me").await.status == 200
}

#[tokio::test]
async fn a_forgotten_password_is_reset_by_the_mail_and_all_sessions_end() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let token = reset_token(&app, "ada@example.com").await;
    assert_eq!(token.len(), 43);
    let mail = app.mailbox().find_newest_to("ada@example.com").unwrap();
    let link = format!("http://localhost:8000/reset-password?token={token}");
    assert!(mail.subject.as_str().starts_with("Reset Your Password"), "{}", mail.subject.as_str());
    assert!(mail.text.contains(&link) && mail.html.contains(&link) && mail.text.contains("ada"), "{}", mail.text);

    let answer = reset(&app, &token, NEW_PASSWORD).await.ok(200);
    assert_eq!(answer["message"], "Password reset successfully. You can now log in with your new password.");
    assert!(!is_logged_in(&ada).await);
    app.anonymous().log_in("ada@example.com", PASSWORD).await.problem(401, "wrong_credentials");
    app.anonymous().log_in("ada@example.com", NEW_PASSWORD).await.ok(200);
    let again = reset(&app, &token, "yet another horse").await.problem(400, "invalid_reset_token");
    assert_eq!(again["detail"], "Invalid or expired reset token");
}

#[tokio::test]
async fn the_answer_to_a_forgotten_password_is_the_same_for_every_address() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let known = forgot(&app, "ADA@example.com").await;
    let unknown = forgot(&app, "nobody@example.com").await;
    assert_eq!(known, unknown);
    let text = "If an account exists with this email, you will receive password reset instructions.";
    assert_eq!(serde_json::from_slice::<Value>(&known).unwrap(), json!({ "message": text }));
    app.run_jobs().await;
    assert_eq!(mails_to(&app, "nobody@example.com"), 0);
    let body = json!({ "email": "no address" });
    app.anonymous().post("/api/users/forgot-password", body).await.problem(422, "invalid_fields");
}

#[tokio::test]
async fn a_newer_reset_supersedes_the_older_one_at_once() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let first = reset_token(&app, "ada@example.com").await;
    forgot(&app, "ada@example.com").await;
    reset(&app, &first, NEW_PASSWORD).await.problem(400, "invalid_reset_token");
    app.run_jobs().await;
    let second = token_in_mail(&app, "ada@example.com");
    assert_ne!(first, second);
    reset(&app, &second, NEW_PASSWORD).await.ok(200);
}

#[tokio::test]
async fn a_password_that_is_refused_does_not_use_up_the_reset() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let token = reset_token(&app, "ada@example.com").await;
    reset(&app, &token, "short").await.problem(422, "invalid_fields");
    reset(&app, &token, "password1").await.problem(422, "invalid_fields");
    reset(&app, &token, NEW_PASSWORD).await.ok(200);
}

#[tokio::test]
async fn a_reset_runs_out() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let token = reset_token(&app, "ada@example.com").await;
    app.clock.advance(SignedDuration::from_mins(60));
    reset(&app, &token, NEW_PASSWORD).await.problem(400, "invalid_reset_token");
    for token in ["", "x", &"A".repeat(43)] {
        reset(&app, token, NEW_PASSWORD).await.problem(400, "invalid_reset_token");
    }
}

#[tokio::test]
async fn of_many_resets_with_one_token_exactly_one_works() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let token = reset_token(&app, "ada@example.com").await;
    let passwords: Vec<String> = (0..4).map(|n| format!("the horse number {n}")).collect();
    let (a, b, c, d) = tokio::join!(
        reset(&app, &token, &passwords[0]),
        reset(&app, &token, &passwords[1]),
        reset(&app, &token, &passwords[2]),
        reset(&app, &token, &passwords[3]),
    );
    let mut statuses = [a.status, b.status, c.status, d.status];
    let winner = statuses.iter().position(|status| *status == 200).expect("one works");
    app.anonymous().log_in("ada@example.com", &passwords[winner]).await.ok(200);
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400]);
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_the_resets() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.run_jobs().await;
    confirm(&app, &ada.email).await;
    let other = app.anonymous().log_in(&ada.email, PASSWORD).await.ok(200);
    let other = app.bearer(other["access_token"].as_str().map(str::to_owned));
    let token = reset_token(&app, "ada@example.com").await;

    let wrong = json!({ "current_password": "not the horse", "new_password": NEW_PASSWORD });
    let wrong = ada.patch("/api/users/me/password", wrong).await.problem(400, "wrong_password");
    assert_eq!(wrong["detail"], "Current password is incorrect");
    let short = json!({ "current_password": PASSWORD, "new_password": "short" });
    ada.patch("/api/users/me/password", short).await.problem(422, "invalid_fields");
    app.anonymous().patch("/api/users/me/password", json!({})).await.problem(401, "not_authenticated");

    let change = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
    let answer = ada.patch("/api/users/me/password", change).await.ok(200);
    assert_eq!(answer["message"], "Password changed successfully");
    assert!(is_logged_in(&ada).await);
    other.get("/api/users/me").await.problem(401, "invalid_token");
    reset(&app, &token, "yet another horse").await.problem(400, "invalid_reset_token");
    app.anonymous().log_in(&ada.email, NEW_PASSWORD).await.ok(200);
    let before = mails_to(&app, "ada@example.com");
    app.run_jobs().await;
    assert_eq!(mails_to(&app, "ada@example.com"), before + 1, "a notice");
}

#[tokio::test]
async fn an_address_is_verified_by_the_link_or_by_the_code() {
    let app = TestApp::start().await;
    for (name, by_code) in [("ada", false), ("eve", true)] {
        let user = app.user(name).await;
        assert_eq!(user.get("/api/users/me/email").await.ok(200)["verified"], false);
        app.run_jobs().await;
        let proof = if by_code {
            json!({ "email": user.email, "code": code_in_mail(&app, &user.email) })
        } else {
            json!({ "token": token_in_mail(&app, &user.email) })
        };
        verify(&app, proof.clone()).await.ok(200);
        let state = user.get("/api/users/me/email").await.ok(200);
        assert_eq!(state, json!({ "email": user.email, "verified": true, "pending": null }));
        verify(&app, proof).await.problem(400, "invalid_verification");
    }
    verify(&app, json!({})).await.problem(422, "invalid_fields");
}

#[tokio::test]
async fn a_code_can_be_wrong_five_times_and_then_a_new_mail_is_needed() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.run_jobs().await;
    let code = code_in_mail(&app, &ada.email);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        verify(&app, json!({ "email": ada.email, "code": wrong })).await.problem(400, "invalid_verification");
    }
    verify(&app, json!({ "email": ada.email, "code": code })).await.problem(400, "invalid_verification");
    app.anonymous().post("/api/users/resend-verification", json!({ "email": ada.email })).await.ok(202);
    app.run_jobs().await;
    verify(&app, json!({ "email": ada.email, "code": code_in_mail(&app, &ada.email) })).await.ok(200);
}

#[tokio::test]
async fn a_secret_for_one_purpose_is_nothing_for_another() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.run_jobs().await;
    let verification = token_in_mail(&app, &ada.email);
    let reset_secret = reset_token(&app, &ada.email).await;
    reset(&app, &verification, NEW_PASSWORD).await.problem(400, "invalid_reset_token");
    verify(&app, json!({ "token": reset_secret })).await.problem(400, "invalid_verification");
    let undo = json!({ "token": reset_secret });
    app.anonymous().post("/api/users/undo-email-change", undo).await.problem(400, "invalid_verification");
    reset(&app, &reset_secret, NEW_PASSWORD).await.ok(200);
}

#[tokio::test]
async fn a_reset_is_bound_to_the_address_it_was_sent_to() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let token = reset_token(&app, "ada@example.com").await;
    ada.patch(&format!("/api/users/{}", ada.id), json!({ "email": "ada@example.org" })).await.ok(200);
    reset(&app, &token, NEW_PASSWORD).await.problem(400, "invalid_reset_token");
}

#[tokio::test]
async fn another_address_counts_when_it_is_confirmed_and_the_old_one_can_undo_it() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let other = app.anonymous().log_in(&ada.email, PASSWORD).await.ok(200);
    let other = app.bearer(other["access_token"].as_str().map(str::to_owned));
    ada.post("/api/users/me/email", json!({ "email": "ada@example.org" })).await.ok(202);
    app.run_jobs().await;
    let state = ada.get("/api/users/me/email").await.ok(200);
    assert_eq!((&state["email"], &state["pending"]), (&json!("ada@example.com"), &json!("ada@example.org")));
    verify(&app, json!({ "token": token_in_mail(&app, "ada@example.org") })).await.ok(200);
    assert_eq!(ada.get("/api/users/me").await.ok(200)["email"], "ada@example.org");
    other.get("/api/users/me").await.problem(401, "invalid_token");

    app.run_jobs().await;
    let undo = token_in_mail(&app, "ada@example.com");
    app.anonymous().post("/api/users/undo-email-change", json!({ "token": undo })).await.ok(200);
    assert!(!is_logged_in(&ada).await);
    app.anonymous().log_in("ada@example.com", PASSWORD).await.problem(401, "wrong_credentials");
    app.run_jobs().await;
    reset(&app, &token_in_mail(&app, "ada@example.com"), NEW_PASSWORD).await.ok(200);
    app.anonymous().log_in("ada@example.com", NEW_PASSWORD).await.ok(200);
}

#[tokio::test]
async fn whoever_changes_the_address_twice_leaves_its_owner_the_way_back() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let path = format!("/api/users/{}", ada.id);
    ada.patch(&path, json!({ "email": "thief@example.org" })).await.ok(200);
    ada.patch(&path, json!({ "email": "thief@example.net" })).await.ok(200);
    app.run_jobs().await;
    // The thief restores their own first address, which must not void the owner's undo link.
    let thief = token_in_mail(&app, "thief@example.org");
    app.anonymous().post("/api/users/undo-email-change", json!({ "token": thief })).await.ok(200);
    let owner = token_in_mail(&app, "ada@example.com");
    app.anonymous().post("/api/users/undo-email-change", json!({ "token": owner })).await.ok(200);
    app.run_jobs().await;
    reset(&app, &token_in_mail(&app, "ada@example.com"), NEW_PASSWORD).await.ok(200);
    app.anonymous().log_in("ada@example.com", NEW_PASSWORD).await.ok(200);
}

#[tokio::test]
async fn an_address_that_somebody_has_is_neither_taken_nor_told() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.user("eve").await;
    app.run_jobs().await;
    let before = mails_to(&app, "eve@example.com");
    let taken = ada.post("/api/users/me/email", json!({ "email": "eve@example.com" })).await;
    let free = ada.post("/api/users/me/email", json!({ "email": "free@example.com" })).await;
    assert_eq!((taken.status, &taken.body), (free.status, &free.body));
    app.run_jobs().await;
    assert_eq!(mails_to(&app, "eve@example.com"), before);
}

#[tokio::test]
async fn a_login_from_another_device_is_told_and_a_newer_version_is_not() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await; // a client without a User-Agent
    app.run_jobs().await;
    confirm(&app, &ada.email).await;
    let before = mails_to(&app, &ada.email);
    for (agent, mails) in [("Phone/1.0", 1), ("Phone/2.0", 1), ("Laptop/1.0", 2)] {
        let form = format!("username=ada%40example.com&password={}", PASSWORD.replace(' ', "+"));
        let request = axum::http::Request::post("/api/users/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("user-agent", agent);
        app.anonymous().send_request(request.body(form.into()).unwrap()).await.ok(200);
        app.run_jobs().await;
        assert_eq!(mails_to(&app, &ada.email), before + mails, "{agent}");
    }
}

#[tokio::test]
async fn a_mail_is_in_the_language_that_was_asked_for() {
    let app = TestApp::start().await;
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    let request = axum::http::Request::post("/api/users")
        .header("content-type", "application/json")
        .header("accept-language", "de-AT, en;q=0.5");
    app.anonymous().send_request(request.body(body.to_string().into()).unwrap()).await.ok(201);
    reset_token(&app, "ada@example.com").await;
    let mail = app.mailbox().find_newest_to("ada@example.com").unwrap();
    assert!(mail.text.contains("Passwort"), "{}", mail.text);
}

#[tokio::test]
async fn where_addresses_are_proven_a_registration_answers_the_same_for_everybody() {
    let app = TestApp::with(verified).await;
    let register = async |name: &str, email: &str| {
        let body = json!({ "username": name, "email": email, "password": PASSWORD });
        app.anonymous().post("/api/users", body).await
    };
    let new = register("ada", "ada@example.com").await;
    new.ok(202);
    app.anonymous().log_in("ada@example.com", PASSWORD).await.problem(401, "wrong_credentials");
    app.run_jobs().await;
    complete(&app, "ada@example.com").await;
    app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);

    let mails = mails_to(&app, "ada@example.com");
    let known = register("ada", "ada@example.com").await;
    assert_eq!((known.status, &known.body), (new.status, &new.body));
    app.run_jobs().await;
    assert_eq!(mails_to(&app, "ada@example.com"), mails + 1, "the owner is told");
    assert!(!app.mailbox().find_newest_to("ada@example.com").unwrap().text.contains("token="));
}

#[tokio::test]
async fn a_registration_that_is_not_proven_owns_neither_name_nor_address() {
    let app = TestApp::with(verified).await;
    let register = async |name: &str, email: &str, password: &str| {
        let body = json!({ "username": name, "email": email, "password": password });
        app.anonymous().post("/api/users", body).await.ok(202)
    };
    register("ada", "ada@example.com", "a squatter's password").await;
    app.run_jobs().await;
    let squatter = token_in_mail(&app, "ada@example.com");
    register("ada", "ada@example.com", PASSWORD).await;
    register("ada", "other@example.com", PASSWORD).await;
    app.run_jobs().await;
    complete(&app, "ada@example.com").await;
    app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);
    app.anonymous().log_in("ada@example.com", "a squatter's password").await.problem(401, "wrong_credentials");
    let late = verify(&app, json!({ "token": squatter, "password": "a squatter's password" })).await;
    assert_eq!(late.status, 400);

    let other = token_in_mail(&app, "other@example.com");
    verify(&app, json!({ "token": other, "password": PASSWORD })).await.problem(400, "username_taken");
    verify(&app, json!({ "token": other, "password": PASSWORD, "username": "other" })).await.ok(200);
    app.anonymous().log_in("other@example.com", PASSWORD).await.ok(200);
}

#[tokio::test]
async fn a_mail_that_completes_a_registration_can_be_asked_for_again() {
    let app = TestApp::with(verified).await;
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    app.anonymous().post("/api/users", body).await.ok(202);
    app.run_jobs().await;
    let first = token_in_mail(&app, "ada@example.com");
    for (address, mails) in [("ada@example.com", 2), ("nobody@example.com", 0)] {
        let answer = app.anonymous().post("/api/users/resend-verification", json!({ "email": address })).await;
        answer.ok(202);
        app.run_jobs().await;
        assert_eq!(mails_to(&app, address), mails);
    }
    assert_eq!(token_in_mail(&app, "ada@example.com"), first);
    complete(&app, "ada@example.com").await;
}

#[tokio::test]
async fn the_owner_of_an_address_takes_over_an_account_that_a_stranger_made_with_it() {
    let app = TestApp::start().await;
    let stranger = app.user("ada").await;
    let token = reset_token(&app, "ada@example.com").await;
    reset(&app, &token, NEW_PASSWORD).await.ok(200);
    assert!(!is_logged_in(&stranger).await);
    let owner = app.anonymous().log_in("ada@example.com", NEW_PASSWORD).await.ok(200);
    let owner = app.bearer(owner["access_token"].as_str().map(str::to_owned));
    assert_eq!(owner.get("/api/users/me/email").await.ok(200)["verified"], true);
}

#[tokio::test]
async fn where_addresses_are_proven_another_one_waits_for_its_proof() {
    let app = TestApp::with(verified).await;
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    app.anonymous().post("/api/users", body).await.ok(202);
    app.run_jobs().await;
    complete(&app, "ada@example.com").await;
    let tokens = app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);
    let ada = app.bearer(tokens["access_token"].as_str().map(str::to_owned));
    let id = ada.get("/api/users/me").await.ok(200)["id"].as_str().unwrap().to_owned();
    let edited = ada.patch(&format!("/api/users/{id}"), json!({ "email": "ada@example.org" })).await.ok(200);
    assert_eq!(edited["email"], "ada@example.com");
    app.run_jobs().await;
    verify(&app, json!({ "token": token_in_mail(&app, "ada@example.org") })).await.ok(200);
    assert_eq!(ada.get("/api/users/me").await.ok(200)["email"], "ada@example.org");
}

#[tokio::test]
async fn where_not_everybody_may_register_a_profile_tells_nobodys_address_and_another_waits_for_its_proof() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.user("eve").await;
    for mode in [RegistrationMode::Closed, RegistrationMode::Invite] {
        let closed = app.another_instance(|mut config| {
            config.registration.mode = mode;
            config
        });
        let ada_there = closed.bearer(ada.token().map(str::to_owned));
        let path = format!("/api/users/{}", ada.id);
        let taken = ada_there.patch(&path, json!({ "email": "eve@example.com" })).await;
        let free = ada_there.patch(&path, json!({ "email": "free@example.com" })).await;
        assert_eq!((taken.status, &taken.body), (free.status, &free.body));
        assert_eq!(free.ok(200)["email"], "ada@example.com");
    }
}

#[tokio::test]
async fn a_closed_registration_is_closed_and_an_invitation_opens_it_so_often() {
    let closed = TestApp::with(|config| config.registration.mode = RegistrationMode::Closed).await;
    let body = |name: &str, invitation: Option<&str>| {
        let email = format!("{name}@example.com");
        json!({ "username": name, "email": email, "password": PASSWORD, "invitation": invitation })
    };
    closed.anonymous().post("/api/users", body("ada", None)).await.problem(403, "registration_closed");

    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Invite).await;
    let code = app.accounts().invite(None, 2, SignedDuration::from_hours(1)).await.unwrap();
    let code = Some(code.expose_secret());
    app.anonymous().post("/api/users", body("ada", None)).await.problem(403, "invalid_invitation");
    app.anonymous().post("/api/users", body("ada", Some("nonsense"))).await.problem(403, "invalid_invitation");
    app.anonymous().post("/api/users", body("ada", code)).await.ok(201);
    app.anonymous().post("/api/users", body("ada", code)).await.problem(400, "username_taken");
    app.anonymous().post("/api/users", body("eve", code)).await.ok(201);
    app.anonymous().post("/api/users", body("bob", code)).await.problem(403, "invalid_invitation");

    let eve = countersign::model::EmailAddress::parse("zoe@example.com").unwrap();
    let code = app.accounts().invite(Some(&eve), 1, SignedDuration::from_hours(1)).await.unwrap();
    let code = Some(code.expose_secret());
    app.anonymous().post("/api/users", body("bob", code)).await.problem(403, "invalid_invitation");
    app.clock.advance(SignedDuration::from_mins(59));
    app.anonymous().post("/api/users", body("zoe", code)).await.ok(201);
}
