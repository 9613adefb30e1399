//! The verbs of the accounts, with secrets that no log line of any crate contains, not even at level `trace`.
//!
//! The programs hide more: `countersign-server` limits crates that see statements, headers or bodies to warnings.

use countersign::operator::generate_secret_key;
use countersign::testing::{Answer, PASSWORD, TestApp};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::log::Log;
use crate::{code_in_mail, token_in_mail};

const TOKEN: &str = "/api/users/token";
/// In every name, address and password of the test, except [`PASSWORD`].
const MARK: &str = "zebra";
const WRONG_PASSWORD: &str = "zebra wrong password";
const NEW_PASSWORD: &str = "zebra new password";
const NEWEST_PASSWORD: &str = "zebra newest password";

/// Secrets that responses and mails have told.
#[derive(Default)]
struct Told(Vec<String>);

impl Told {
    fn note(&mut self, secret: &str) -> String {
        self.0.push(secret.to_owned());
        secret.to_owned()
    }

    /// Notes the tokens of a response, and returns the access token and the refresh token.
    fn note_tokens(&mut self, tokens: &Value) -> (String, String) {
        (self.note(tokens["access_token"].as_str().unwrap()), self.note(tokens["refresh_token"].as_str().unwrap()))
    }

    fn note_cookies(&mut self, answer: &Answer) {
        let headers = answer.headers.get_all("set-cookie").iter().map(|header| header.to_str().unwrap());
        let values = headers.filter_map(|header| header.split(';').next()?.split_once('=')).map(|(_, value)| value);
        // Shorter ones are a language or a notice.
        self.0.extend(values.filter(|value| value.len() > 40).map(str::to_owned));
    }
}

#[tokio::test]
async fn no_verb_logs_a_password_a_token_a_code_or_an_address() {
    let log = Log::listen_to_all();
    let mut told = Told::default();
    let service = generate_secret_key();
    let app = TestApp::with(|config| config.tokens.introspection_secret = Some(service.clone())).await;
    let anonymous = app.anonymous();
    let refresh = async |token: &str| {
        anonymous.post_form(TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    };

    // Registration and verification.
    let user = app.user(MARK).await;
    told.note(user.token().unwrap());
    app.run_jobs().await;
    let code = code_in_mail(&app, &user.email);
    let token = told.note(&token_in_mail(&app, &user.email));
    let wrong = json!({ "token": told.note("zebra-bad-token") });
    anonymous.post("/api/users/verify-email", wrong).await.problem(400, "invalid_verification");
    anonymous.post("/api/users/verify-email", json!({ "token": token })).await.ok(200);

    // Logins, tokens and cookies.
    anonymous.log_in(&user.email, WRONG_PASSWORD).await.problem(401, "wrong_credentials");
    let (access, first) = told.note_tokens(&anonymous.log_in(&user.email, PASSWORD).await.ok(200));
    let (_, second) = told.note_tokens(&refresh(&first).await.ok(200));
    let asker = app.bearer(Some(told.note(service.expose())));
    asker.post_form("/api/users/token/introspect", &[("token", &access)]).await.ok(200);
    anonymous.post_form("/api/users/token/introspect", &[("token", &access)]).await.problem(401, "not_authenticated");
    app.clock.advance(SignedDuration::from_mins(1));
    refresh(&first).await.problem(400, "refresh_token_reused");
    refresh(&second).await.problem(400, "invalid_refresh_token");
    anonymous.post_form("/api/users/token/revoke", &[("token", &second)]).await.ok(200);
    let form = json!({ "username": user.email, "password": PASSWORD });
    told.note_cookies(&anonymous.post("/api/users/login", form).await);
    let browser = app.browser();
    told.note_cookies(&browser.log_in(&user.email, PASSWORD).await);
    assert!(browser.open("/account").await.text().contains(&user.email));
    app.bearer(Some("zebra-bad-token".to_owned())).get("/api/users/me").await.problem(401, "invalid_token");

    // Passwords.
    let reauthenticated = user.post("/api/users/me/reauthenticate", json!({ "password": PASSWORD })).await.ok(200);
    let (access, _) = told.note_tokens(&reauthenticated);
    let change = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
    let changed = app.bearer(Some(access)).patch("/api/users/me/password", change).await.ok(200);
    told.note_tokens(&changed);
    // Notices of before, so that the newest mail is the one with the token.
    app.run_jobs().await;
    anonymous.post("/api/users/forgot-password", json!({ "email": user.email })).await.ok(202);
    app.run_jobs().await;
    let token = told.note(&token_in_mail(&app, &user.email));
    let reset = json!({ "token": token, "new_password": NEWEST_PASSWORD });
    anonymous.post("/api/users/reset-password", reset).await.ok(200);

    // Another address and the way back, and the end.
    let (access, _) = told.note_tokens(&anonymous.log_in(&user.email, NEWEST_PASSWORD).await.ok(200));
    app.run_jobs().await;
    let path = format!("/api/users/{}", user.id);
    app.bearer(Some(access)).patch(&path, json!({ "email": "zebra@example.org" })).await.ok(200);
    app.run_jobs().await;
    let undo = told.note(&token_in_mail(&app, &user.email));
    anonymous.post("/api/users/undo-email-change", json!({ "token": undo })).await.ok(200);
    let other = app.user("zebra2").await;
    other.delete(&format!("/api/users/{}", other.id)).await.ok(204);

    let lines = log.lines();
    assert!(lines.iter().any(|line| line.starts_with("transaction")), "nothing was captured");
    told.note(app.accounts().config().secret_keys()[0].expose());
    let signatures: Vec<&str> =
        told.0.iter().filter_map(|secret| secret.rsplit_once('.')).map(|(_, end)| end).collect();
    let secrets = told.0.iter().map(String::as_str).chain(signatures).chain([MARK, PASSWORD, "$argon2"]);
    for secret in secrets {
        let line = lines.iter().find(|line| line.to_lowercase().contains(&secret.to_lowercase()));
        assert_eq!(line, None, "the log holds {secret}");
    }
    // Six digits may be part of a greater number.
    let has_code = |line: &&String| line.split(|c: char| !c.is_alphanumeric()).any(|word| word == code);
    assert_eq!(lines.iter().find(has_code), None, "the log holds a code");
}
