//! Pasted addresses and codes, with the extra characters that copying adds.

use countersign::config::RegistrationMode;
use countersign::testing::{Answer, PASSWORD, TestApp};
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::{code_in_mail, faults, token_in_mail};

async fn verify(app: &TestApp, body: Value) -> Answer {
    app.anonymous().post("/api/users/verify-email", body).await
}

#[tokio::test]
async fn an_address_is_trimmed_wherever_it_comes_in() {
    let app = TestApp::start().await;
    let padded = |address: &str| format!("\u{feff} {address}\u{a0}\u{200b}\n");
    let ada = app.user("ada").await;
    app.run_jobs().await;
    let before = app.mailbox().list().len();
    app.anonymous().post("/api/users/resend-verification", json!({ "email": padded(&ada.email) })).await.ok(202);
    app.run_jobs().await;
    let code = code_in_mail(&app, &ada.email);
    app.anonymous().post("/api/users/forgot-password", json!({ "email": padded(&ada.email) })).await.ok(202);
    app.run_jobs().await;
    assert_eq!(app.mailbox().list().len(), before + 2);
    verify(&app, json!({ "email": padded(&ada.email), "code": code })).await.ok(200);
    app.anonymous().log_in(&padded(&ada.email), PASSWORD).await.ok(200);
    let answer = ada.patch(&format!("/api/users/{}", ada.id), json!({ "email": padded("ida@example.com") })).await;
    assert_eq!(answer.ok(200)["email"], "ida@example.com");
    ada.post("/api/users/me/email", json!({ "email": padded("zoe@example.com") })).await.ok(202);
    assert_eq!(ada.get("/api/users/me/email").await.ok(200)["pending"], "zoe@example.com");
    app.browser().submit("/login", &[("username", &padded("ida@example.com")), ("password", PASSWORD)]).await.ok(303);
}

/// How the clipboard changes a code.
type Paste<'p> = &'p dyn Fn(&str) -> String;

#[tokio::test]
async fn the_digits_of_a_pasted_code_count_and_nothing_else() {
    let app = TestApp::start().await;
    let full_width = |code: &str| code.chars().map(|c| char::from_u32(u32::from(c) - 0x30 + 0xff10).unwrap()).collect();
    let arabic = |code: &str| code.chars().map(|c| char::from_u32(u32::from(c) - 0x30 + 0x660).unwrap()).collect();
    let forms: [(&str, Paste); 6] = [
        ("a", &|code| format!("{} {}", &code[..3], &code[3..])),
        ("b", &|code| format!("\t{}-{}\u{a0}\n", &code[..3], &code[3..])),
        ("c", &|code| format!("\u{feff}{}\u{2009}{}\u{2014}{}", &code[..2], &code[2..4], &code[4..])),
        ("d", &|code| format!("Code: {code}.")),
        ("e", &full_width),
        ("f", &arabic),
    ];
    for (name, pasted) in forms {
        let user = app.user(name).await;
        app.run_jobs().await;
        let code = pasted(&code_in_mail(&app, &user.email));
        if name < "d" {
            verify(&app, json!({ "email": user.email, "code": code })).await.ok(200);
        } else {
            let fields = [("token", ""), ("email", user.email.as_str()), ("code", &code)];
            app.browser().submit("/verify-email", &fields).await.ok(303);
        }
        assert_eq!(user.get("/api/users/me/email").await.ok(200)["verified"], true, "{code:?}");
    }
}

#[tokio::test]
async fn a_text_without_six_digits_is_not_counted_as_a_wrong_code() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.run_jobs().await;
    let code = code_in_mail(&app, &ada.email);
    let browser = app.browser();
    for text in ["12345", "1234567", "abc", "123 45", "ⅠⅡⅢⅣⅤⅥ", &format!("{code}{code}")] {
        let body = verify(&app, json!({ "email": ada.email, "code": text })).await.problem(422, "invalid_fields");
        assert_eq!(faults(&body), ["value_error body.code"], "{text}");
        let page = browser.submit("/verify-email", &[("token", ""), ("email", &ada.email), ("code", text)]).await;
        assert_eq!(page.status, 422, "{text}");
        assert!(page.text().contains("Please enter the six-digit code."), "{}", page.text());
        // A pasted code fits, even with separators between its digits.
        assert!(page.text().contains("maxlength=\"40\""), "{}", page.text());
    }
    verify(&app, json!({ "email": ada.email, "code": code })).await.ok(200);
}

#[tokio::test]
async fn what_surrounds_a_pasted_token_or_invitation_does_not_count() {
    let padded = |secret: &str| format!("\u{feff} {secret}\u{200b}\u{a0}\n");
    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Invite).await;
    let code = app.accounts().invite(None, 2, SignedDuration::from_hours(1)).await.unwrap();
    let code = padded(code.expose_secret());
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD, "invitation": code });
    app.anonymous().post("/api/users", body).await.ok(201);
    let fields = [("username", "eve"), ("email", "eve@example.com"), ("password", PASSWORD), ("invitation", &code)];
    app.browser().submit("/register", &fields).await.ok(303);
    app.run_jobs().await;
    verify(&app, json!({ "token": padded(&token_in_mail(&app, "ada@example.com")) })).await.ok(200);
    let fields = [("token", padded(&token_in_mail(&app, "eve@example.com")))];
    app.browser()
        .submit("/verify-email", &fields.each_ref().map(|(name, token)| (*name, token.as_str())))
        .await
        .ok(303);
    app.anonymous().post("/api/users/forgot-password", json!({ "email": "ada@example.com" })).await.ok(202);
    app.run_jobs().await;
    let token = padded(&token_in_mail(&app, "ada@example.com"));
    let reset = json!({ "token": token, "new_password": "another horse entirely" });
    app.anonymous().post("/api/users/reset-password", reset).await.ok(200);
}
