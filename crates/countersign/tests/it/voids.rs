//! Every act against every kind of live secret, over HTTP: the behaviour is compared with the table in
//! `steps/voids/table.rs`.

use std::process::Command;

use countersign::config::RegistrationMode;
use countersign::testing::{Answer, Browser, Caller, PASSWORD, TestApp, User, voids};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::token_in_mail;

const NEW_PASSWORD: &str = "another horse entirely";

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

/// The user whose account an act is about.
struct Owner<'a> {
    app: &'a TestApp,
    user: User,
    /// Current address of the account.
    email: String,
    password: &'static str,
    /// Number of addresses so far.
    addresses: usize,
    /// Tokens of the session that acts.
    present: Value,
    /// A second acting session of the same user, with a cookie.
    browser: Browser,
    /// Undo token for the change of address that the act `undo` reverts.
    undo: Option<String>,
}

impl<'a> Owner<'a> {
    async fn new(app: &'a TestApp, act: &str, secret: &str) -> Self {
        let name = format!("{act}-{secret}").to_lowercase();
        let user = app.user(&name).await;
        let email = format!("{name}@example.com");
        let mut owner = Self {
            app,
            email,
            password: PASSWORD,
            addresses: 1,
            present: Value::Null,
            browser: app.browser(),
            undo: None,
            user,
        };
        if act == "AddressChangeUndone" {
            let before = owner.email.clone();
            owner.log_in().await;
            owner.set_address().await;
            owner.app.run_jobs().await;
            owner.undo = Some(token_in_mail(owner.app, &before));
            app.clock.advance(SignedDuration::from_secs(1));
        }
        owner.log_in().await;
        // So that the newest mail belongs to the act or the secret.
        app.run_jobs().await;
        owner
    }

    async fn log_in(&mut self) {
        self.present = self.app.anonymous().log_in(&self.email, self.password).await.ok(200);
    }

    fn caller(&self) -> Caller {
        self.app.bearer(Some(text(&self.present, "access_token")))
    }

    fn next_address(&mut self) -> String {
        self.addresses += 1;
        let (name, _) = self.email.split_once(['@', '.']).expect("an address");
        format!("{name}.{}@example.com", self.addresses)
    }

    /// Changes the address with immediate effect.
    async fn set_address(&mut self) {
        let next = self.next_address();
        let path = format!("/api/users/{}", self.user.id);
        self.caller().patch(&path, json!({ "email": next })).await.ok(200);
        self.email = next;
    }

    /// Requests a change of address and returns the token that confirms it.
    async fn ask_for_address(&self, next: &str) -> String {
        self.caller().post("/api/users/me/email", json!({ "email": next })).await.ok(202);
        self.app.run_jobs().await;
        token_in_mail(self.app, next)
    }

    async fn change_address(&mut self) {
        let next = self.next_address();
        let token = self.ask_for_address(&next).await;
        self.verify(&token).await.ok(200);
        self.email = next;
    }

    async fn verify(&self, token: &str) -> Answer {
        self.app.anonymous().post("/api/users/verify-email", json!({ "token": token, "password": PASSWORD })).await
    }

    async fn reset_token(&self) -> String {
        self.app.anonymous().post("/api/users/forgot-password", json!({ "email": self.email })).await.ok(202);
        self.app.run_jobs().await;
        token_in_mail(self.app, &self.email)
    }

    async fn reset(&self, token: &str) -> Answer {
        let body = json!({ "token": token, "new_password": NEW_PASSWORD });
        self.app.anonymous().post("/api/users/reset-password", body).await
    }

    /// Performs the act as `caller`, the current session.
    async fn act(&mut self, act: &str, caller: &Caller) {
        let path = format!("/api/users/{}", self.user.id);
        match act {
            "PasswordChanged" => {
                let body = json!({ "current_password": self.password, "new_password": NEW_PASSWORD });
                caller.patch("/api/users/me/password", body).await.ok(200);
                self.password = NEW_PASSWORD;
            }
            "PasswordReset" => {
                let token = self.reset_token().await;
                self.reset(&token).await.ok(200);
                self.password = NEW_PASSWORD;
            }
            "OthersLoggedOut" => drop(caller.delete("/api/users/me/sessions").await.ok(200)),
            "SessionEnded" => drop(caller.post("/api/users/logout", json!({})).await.ok(204)),
            "RefreshTokenReused" => {
                let refresh =
                    [("grant_type", "refresh_token"), ("refresh_token", &text(&self.present, "refresh_token"))];
                self.app.anonymous().post_form("/api/users/token", &refresh).await.ok(200);
                self.app.clock.advance(SignedDuration::from_mins(1));
                self.app.anonymous().post_form("/api/users/token", &refresh).await.problem(400, "refresh_token_reused");
            }
            "Reauthenticated" => {
                let answer = caller.post("/api/users/me/reauthenticate", json!({ "password": self.password })).await;
                assert!(matches!(answer.status, 200 | 204), "{}", answer.status);
            }
            "AddressChanged" => self.change_address().await,
            "AddressSet" => self.set_address().await,
            "AddressChangeUndone" => {
                let body = json!({ "token": self.undo });
                self.app.anonymous().post("/api/users/undo-email-change", body).await.ok(200);
            }
            "AccountDeleted" => drop(caller.delete(&path).await.ok(204)),
            other => panic!("{other} is a new act: do it here"),
        }
    }

    /// Obtains a secret, performs the act, and returns whether the secret still works.
    async fn opens_after(&mut self, act: &str, secret: &str) -> bool {
        let app = self.app;
        let present = self.caller();
        match secret {
            "OtherSessions" => {
                let other = app.anonymous().log_in(&self.email, self.password).await.ok(200);
                self.act(act, &present).await;
                app.bearer(Some(text(&other, "access_token"))).get("/api/users/me").await.status == 200
            }
            "PresentAccessTokens" => {
                self.act(act, &present).await;
                present.get("/api/users/me").await.status == 200
            }
            "PresentSecrets" if act == "RefreshTokenReused" => {
                let first = text(&self.present, "refresh_token");
                self.act(act, &present).await;
                app.anonymous().post_form("/api/users/token", &refresh_form(&first)).await.status == 200
            }
            "PresentSecrets" => {
                // With a cookie and with a refresh token, one after the other, for two users.
                let first = text(&self.present, "refresh_token");
                let mut twin = Box::pin(Owner::new(app, act, "twin")).await;
                twin.browser.log_in(&twin.email, twin.password).await;
                let cookie = twin.browser.cookie("session").expect("a login sets it");
                let on_cookie = app.anonymous().with_cookie("session", &cookie);
                Box::pin(twin.act(act, &on_cookie)).await;
                let opens = on_cookie.get("/api/users/me").await.status == 200;
                self.act(act, &present).await;
                let refreshed = app.anonymous().post_form("/api/users/token", &refresh_form(&first)).await;
                if !matches!(act, "AddressSet" | "AddressChanged") {
                    assert_eq!(refreshed.status == 200, opens, "{act}: the cookie and the refresh token differ");
                }
                refreshed.status == 200
            }
            "ResetLinks" => {
                let token = self.reset_token().await;
                self.act(act, &present).await;
                self.reset(&token).await.status == 200
            }
            "VerificationLinks" => {
                app.anonymous().post("/api/users/resend-verification", json!({ "email": self.email })).await.ok(202);
                app.run_jobs().await;
                let token = token_in_mail(app, &self.email);
                self.act(act, &present).await;
                self.verify(&token).await.status == 200
            }
            "ChangeLinks" => {
                // Requested by the current session, or by another one if the act ends the current one.
                let other = app.anonymous().log_in(&self.email, self.password).await.ok(200);
                let ended = std::mem::replace(&mut self.present, other);
                if !matches!(act, "SessionEnded" | "RefreshTokenReused") {
                    self.present = ended.clone();
                }
                let next = self.next_address();
                let token = self.ask_for_address(&next).await;
                self.present = ended;
                self.act(act, &present).await;
                self.verify(&token).await.status == 200
            }
            "UndoLinks" | "UnprovenUndoLinks" => {
                let before = self.email.clone();
                if secret == "UndoLinks" {
                    self.change_address().await;
                } else {
                    self.set_address().await;
                }
                app.run_jobs().await;
                let token = token_in_mail(app, &before);
                self.act(act, &present).await;
                app.anonymous().post("/api/users/undo-email-change", json!({ "token": token })).await.status == 200
            }
            "WaitingRegistrations" => {
                let verified = app.another_instance(|mut config| {
                    config.registration.mode = RegistrationMode::Verified;
                    config.limits = None;
                    config
                });
                let name = format!("waiting-{act}").to_lowercase();
                let email = format!("{name}@example.com");
                let body = json!({ "username": name, "email": email, "password": PASSWORD });
                verified.anonymous().post("/api/users", body).await.ok(202);
                verified.run_jobs().await;
                let token = token_in_mail(&verified, &email);
                self.act(act, &present).await;
                self.verify(&token).await.status == 200
            }
            "DeviceCookies" => {
                let login = app.anonymous().log_in(&self.email, self.password).await;
                let device = login.cookie("device").expect("every login makes a device known");
                self.present = login.ok(200);
                let present = self.caller();
                self.act(act, &present).await;
                // Strangers are limited; the device is not, as long as it is known.
                for _ in 0..20 {
                    app.anonymous().log_in(&self.email, "a wrong password").await;
                }
                app.anonymous().log_in(&self.email, self.password).await.problem(429, "too_many_requests");
                app.anonymous().with_cookie("device", &device).log_in(&self.email, self.password).await.status == 200
            }
            other => panic!("{other} is a new secret: get hold of it here"),
        }
    }
}

fn refresh_form(token: &str) -> [(&'static str, &str); 2] {
    [("grant_type", "refresh_token"), ("refresh_token", token)]
}

#[tokio::test]
async fn every_act_voids_what_the_table_says_and_nothing_else() {
    let app = TestApp::with(|config| config.limits = None).await;
    let limited = TestApp::start().await;
    let mut wrong = Vec::new();
    for [act, secret, fate] in voids() {
        let app = if secret == "DeviceCookies" { &limited } else { &app };
        let opens = Owner::new(app, &act, &secret).await.opens_after(&act, &secret).await;
        if opens != (fate == "Kept") {
            wrong.push(format!("{act} × {secret}: {fate}, and it {}", if opens { "opens" } else { "is void" }));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Compiles modified copies of the table file.
#[test]
fn a_new_act_or_a_new_secret_does_not_compile_without_a_decision() {
    let table = include_str!("../../src/operations/steps/voids/table.rs");
    let folder = tempfile::tempdir().unwrap();
    let compiles = |source: &str| {
        let file = folder.path().join("table.rs");
        std::fs::write(&file, source).unwrap();
        let output = Command::new("rustc")
            .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--allow=warnings", "--out-dir"])
            .arg(folder.path())
            .arg(&file)
            .output()
            .expect("the compiler that this test was compiled with");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(compiles(table), (true, String::new()));
    for (name, before) in [("act", "    AccountDeleted,\n}"), ("secret", "    DeviceCookies,\n}")] {
        let (head, tail) = table.split_once(before).expect("the last variant");
        let last = before.trim_end_matches('}');
        let (is_compiled, error) = compiles(&format!("{head}{last}    Another,\n}}{tail}"));
        assert!(!is_compiled && error.contains("E0004"), "another {name}: {error}");
    }
}

#[tokio::test]
async fn a_copy_of_a_cookie_or_token_gains_nothing_by_the_owners_new_password() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let login = app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);
    app.clock.advance(SignedDuration::from_mins(20));
    let refreshed = app.anonymous().post_form("/api/users/token", &refresh_form(&text(&login, "refresh_token"))).await;
    let login = refreshed.ok(200);
    let copy = app.bearer(Some(text(&login, "access_token")));
    app.clock.advance(SignedDuration::from_mins(20));
    let change = |password: &str, new: &str| json!({ "current_password": password, "new_password": new });
    let answer = copy.patch("/api/users/me/password", change(PASSWORD, NEW_PASSWORD)).await.ok(200);
    assert_eq!(answer["message"], "Password changed successfully");
    let fresh = app.bearer(Some(text(&answer, "access_token")));
    let path = format!("/api/users/{}", ada.id);
    copy.get("/api/users/me").await.ok(200);
    copy.delete(&path).await.problem(403, "reauthentication_required");
    let other = json!({ "email": "thief@example.com" });
    copy.post("/api/users/me/email", other.clone()).await.problem(403, "reauthentication_required");
    let refreshed = app.anonymous().post_form("/api/users/token", &refresh_form(&text(&login, "refresh_token"))).await;
    refreshed.problem(400, "invalid_refresh_token");
    fresh.post("/api/users/me/email", other).await.ok(202);
    let next =
        app.anonymous().post_form("/api/users/token", &refresh_form(&text(&answer, "refresh_token"))).await.ok(200);
    app.bearer(Some(text(&next, "access_token"))).get("/api/users/me").await.ok(200);

    // The same with a cookie; the browser gets a new one.
    let browser = app.browser();
    browser.log_in("ada@example.com", NEW_PASSWORD).await;
    let before = app.anonymous().with_cookie("session", &browser.cookie("session").unwrap());
    let answer = before.patch("/api/users/me/password", change(NEW_PASSWORD, PASSWORD)).await;
    assert_eq!(answer.ok(200), json!({ "message": "Password changed successfully" }));
    let after = app.anonymous().with_cookie("session", &answer.cookie("session").unwrap());
    after.get("/api/users/me").await.ok(200);
    before.get("/api/users/me").await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_change_of_address_that_a_thief_asked_for_ends_with_the_thiefs_session() {
    for end in ["password", "others", "one"] {
        let app = TestApp::start().await;
        let ada = app.user("ada").await;
        let thief = app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);
        let thief = app.bearer(Some(text(&thief, "access_token")));
        thief.post("/api/users/me/email", json!({ "email": "thief@example.com" })).await.ok(202);
        app.run_jobs().await;
        let token = token_in_mail(&app, "thief@example.com");
        match end {
            "password" => {
                let body = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
                ada.patch("/api/users/me/password", body).await.ok(200);
            }
            "others" => assert_eq!(ada.delete("/api/users/me/sessions").await.ok(200)["ended"], 1),
            _ => {
                let sessions = ada.get("/api/users/me/sessions").await.ok(200)["sessions"].clone();
                let theirs = sessions.as_array().unwrap().iter().find(|session| session["current"] == false).unwrap();
                ada.delete(&format!("/api/users/me/sessions/{}", text(theirs, "id"))).await.ok(204);
            }
        }
        assert_eq!(ada.get("/api/users/me/email").await.ok(200)["pending"], Value::Null, "{end}");
        let answer = app.anonymous().post("/api/users/verify-email", json!({ "token": token })).await;
        answer.problem(400, "invalid_verification");
        ada.get("/api/users/me").await.ok(200);
    }
}

#[tokio::test]
async fn a_stranger_who_put_an_address_on_an_account_does_not_take_it_back_from_its_reader() {
    let app = TestApp::start().await;
    let stranger = app.user("stranger").await;
    app.run_jobs().await;
    let proof = token_in_mail(&app, "stranger@example.com");
    app.anonymous().post("/api/users/verify-email", json!({ "token": proof })).await.ok(200);
    let path = format!("/api/users/{}", stranger.id);
    stranger.patch(&path, json!({ "email": "victim@example.com" })).await.ok(200);
    app.run_jobs().await;
    let undo = token_in_mail(&app, "stranger@example.com");
    // The victim may even have confirmed the address before requesting a password reset.
    let proof = token_in_mail(&app, "victim@example.com");
    app.anonymous().post("/api/users/verify-email", json!({ "token": proof })).await.ok(200);
    app.anonymous().post("/api/users/forgot-password", json!({ "email": "victim@example.com" })).await.ok(202);
    app.run_jobs().await;
    let reset = json!({ "token": token_in_mail(&app, "victim@example.com"), "new_password": NEW_PASSWORD });
    app.anonymous().post("/api/users/reset-password", reset).await.ok(200);
    let answer = app.anonymous().post("/api/users/undo-email-change", json!({ "token": undo })).await;
    answer.problem(400, "invalid_verification");
    app.anonymous().log_in("victim@example.com", NEW_PASSWORD).await.ok(200);
}

#[tokio::test]
async fn a_registration_counts_for_the_person_who_chose_its_password() {
    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Verified).await;
    let register = async |name: &str, password: &str| {
        let body = json!({ "username": name, "email": "victim@example.com", "password": password });
        app.anonymous().post("/api/users", body).await.ok(202);
        app.run_jobs().await;
        token_in_mail(&app, "victim@example.com")
    };
    register("victim", PASSWORD).await;
    let strangers = register("stranger", NEW_PASSWORD).await;
    let verify = async |password: Option<&str>| {
        let body = json!({ "token": strangers, "password": password });
        app.anonymous().post("/api/users/verify-email", body).await
    };
    assert_eq!(crate::faults(&verify(None).await.problem(422, "invalid_fields")), ["missing body.password"]);
    verify(Some("neither of the two")).await.problem(400, "wrong_password");
    // The victim follows the newest mail, which the stranger caused, and still gets their own registration.
    verify(Some(PASSWORD)).await.ok(200);
    app.anonymous().log_in("victim@example.com", NEW_PASSWORD).await.problem(401, "wrong_credentials");
    let login = app.anonymous().log_in("victim@example.com", PASSWORD).await.ok(200);
    let me = app.bearer(Some(text(&login, "access_token"))).get("/api/users/me").await.ok(200);
    assert_eq!(me["username"], "victim");
    verify(Some(NEW_PASSWORD)).await.problem(400, "email_taken");
}
