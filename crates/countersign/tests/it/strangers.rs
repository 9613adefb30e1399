//! What strangers can do to an address or an account that is not theirs: mails to the address, text in those mails,
//! guessed codes.
//!
//! The long run of the walk: `WALK_STEPS=10000 cargo test -p countersign --test it strangers`.

use countersign::config::{Config, RegistrationMode};
use countersign::testing::{Answer, Caller, PASSWORD, TestApp};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{code_in_mail, confirm, token_in_mail};

const VICTIM: &str = "victim@example.com";
const VICTIMS: [&str; 2] = [VICTIM, "other@example.com"];
const NEW_PASSWORD: &str = "another horse entirely";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

fn verified(config: &mut Config) {
    config.registration.mode = RegistrationMode::Verified;
}

fn mails_to(app: &TestApp, address: &str) -> usize {
    app.mailbox().list().iter().filter(|mail| mail.to.as_str() == address).count()
}

/// Logs in with this `User-Agent`.
async fn log_in_by(caller: &Caller, program: &str, address: &str, password: &str) -> Answer {
    let form = format!("username={}&password={}", address.replace('@', "%40"), password.replace(' ', "+"));
    let request = axum::http::Request::post("/api/users/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("user-agent", program);
    caller.send_request(request.body(form.into()).unwrap()).await
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

/// A script that uses the whole API to cause mails to addresses of its choice.
struct Script<'a> {
    app: &'a TestApp,
    random: u64,
    /// Tokens of its own account, if it has one.
    tokens: Value,
    password: &'static str,
}

impl Script<'_> {
    /// A pseudo-random number below `many`, the same sequence in every run.
    fn one_of(&mut self, many: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % many
    }

    /// An address of a victim, or its own.
    fn address(&mut self) -> &'static str {
        ["own@example.org", VICTIM, VICTIM, VICTIM, VICTIMS[1]][usize::try_from(self.one_of(5)).unwrap()]
    }

    /// A caller from a random network, so that the limits per network do not apply.
    fn caller(&mut self) -> Caller {
        let token = self.tokens["access_token"].as_str().map(str::to_owned);
        self.app.bearer(token).at(&format!("192.0.2.{}", self.one_of(200)))
    }

    async fn step(&mut self) {
        let (act, address) = (self.one_of(17), self.address());
        let number = self.one_of(1_000_000);
        let caller = self.caller();
        match act {
            0 | 1 => {
                let name = format!("go to evil{number}.example now");
                let registration = json!({ "username": name, "email": address, "password": self.password });
                caller.post("/api/users", registration).await;
            }
            2..=4 => {
                let program =
                    format!("program {}", char::from(b'a' + u8::try_from(number % 26).unwrap()).to_string().repeat(9));
                let answer = log_in_by(&caller, &program, address, self.password).await;
                if answer.status == 200 {
                    self.tokens = answer.ok(200);
                }
            }
            5 => {
                if let Some(id) = body(&caller.get("/api/users/me").await)["id"].as_str() {
                    caller.delete(&format!("/api/users/{id}")).await;
                }
            }
            6 => {
                if let Some(id) = body(&caller.get("/api/users/me").await)["id"].as_str() {
                    caller.patch(&format!("/api/users/{id}"), json!({ "email": address })).await;
                }
            }
            7 => drop(caller.post("/api/users/me/email", json!({ "email": address })).await),
            8 => drop(caller.post("/api/users/forgot-password", json!({ "email": address })).await),
            9 => drop(caller.post("/api/users/resend-verification", json!({ "email": address })).await),
            10 => {
                let change = json!({ "current_password": self.password, "new_password": self.password });
                let answer = caller.patch("/api/users/me/password", change).await;
                if body(&answer)["access_token"].is_string() {
                    self.tokens = body(&answer);
                }
            }
            11 => drop(caller.post("/api/users/me/reauthenticate", json!({ "password": self.password })).await),
            12 => {
                let token = self.tokens["refresh_token"].as_str().unwrap_or("none").to_owned();
                let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
                caller.post_form("/api/users/token", &form).await;
                self.app.clock.advance(SignedDuration::from_secs(40));
                caller.post_form("/api/users/token", &form).await;
            }
            13 => self.read_own_mail(&caller).await,
            14 => drop(caller.delete("/api/users/me/sessions").await),
            15 => {
                let seconds = i64::try_from(self.one_of(600)).unwrap();
                self.app.clock.advance(SignedDuration::from_secs(seconds));
            }
            _ => drop(self.app.run_jobs().await),
        }
    }

    /// Uses the link in the newest mail to its own address.
    async fn read_own_mail(&mut self, caller: &Caller) {
        let Some(mail) = self.app.mailbox().find_newest_to("own@example.org") else { return };
        let Some((_, rest)) = mail.text.split_once("token=") else { return };
        let token = rest.split_whitespace().next().unwrap();
        caller.post("/api/users/verify-email", json!({ "token": token, "password": self.password })).await;
        caller.post("/api/users/undo-email-change", json!({ "token": token })).await;
        let another = json!({ "token": token, "new_password": self.password });
        caller.post("/api/users/reset-password", another).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings; one variable sets the length of this one")]
fn steps() -> usize {
    std::env::var("WALK_STEPS").map_or(150, |steps| steps.parse().expect("a number"))
}

#[tokio::test]
async fn whatever_a_script_does_an_address_that_was_never_proven_gets_no_more_mails_than_its_limit() {
    for mode in [RegistrationMode::Open, RegistrationMode::Verified] {
        let app = TestApp::with(|config| config.registration.mode = mode).await;
        let mut script = Script { app: &app, random: 7, tokens: Value::Null, password: PASSWORD };
        let begun_at: Timestamp = app.clock.now();
        // The mailbox keeps only the newest mails, so count them as they arrive.
        let (mut newest, mut counts, mut most) = (None, [0, 0], 0);
        for step in 0..steps() {
            script.step().await;
            app.run_jobs().await;
            let mails = app.mailbox().list();
            for mail in mails.iter().take_while(|mail| Some(mail.id) != newest) {
                let Some(victim) = VICTIMS.iter().position(|victim| mail.to.as_str() == *victim) else { continue };
                counts[victim] += 1;
                for text in [&mail.text, &mail.html] {
                    assert!(!text.contains(".example now") && !text.contains("program "), "{text}");
                }
            }
            newest = mails.first().map(|mail| mail.id);
            let minutes = usize::try_from(app.clock.now().duration_since(begun_at).as_mins()).unwrap();
            for count in counts {
                // Requested mails: five at once, then one every twelve minutes. The same again for actions on accounts.
                assert!(
                    count <= 2 * (5 + minutes / 12),
                    "{count} mails in {minutes} minutes, after {step} steps ({mode:?})"
                );
                most = most.max(count);
            }
        }
        println!("{mode:?}: {counts:?} mails in {} steps", steps());
        assert!(most >= 5, "the limit was never reached");
    }
}

#[tokio::test]
async fn notices_go_to_a_proven_address_alone() {
    for is_proven in [false, true] {
        let app = TestApp::start().await;
        let ada = app.user("ada").await;
        app.run_jobs().await;
        if is_proven {
            confirm(&app, &ada.email).await;
        }
        let before = mails_to(&app, &ada.email);
        log_in_by(&app.anonymous(), FIREFOX, &ada.email, PASSWORD).await.ok(200);
        let change = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
        ada.patch("/api/users/me/password", change).await.ok(200);
        app.run_jobs().await;
        assert_eq!(mails_to(&app, &ada.email) - before, if is_proven { 2 } else { 0 }, "{is_proven}");
    }
}

#[tokio::test]
async fn a_notice_does_not_go_to_an_address_that_took_the_place_of_the_proven_one_meanwhile() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.run_jobs().await;
    confirm(&app, &ada.email).await;
    log_in_by(&app.anonymous(), FIREFOX, &ada.email, PASSWORD).await.ok(200);
    ada.patch(&format!("/api/users/{}", ada.id), json!({ "email": VICTIM })).await.ok(200);
    app.run_jobs().await;
    // Only the verification mail.
    assert_eq!(mails_to(&app, VICTIM), 1);
}

#[tokio::test]
async fn notices_have_a_limit_of_their_own_for_each_kind() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.run_jobs().await;
    confirm(&app, &ada.email).await;
    for _ in 0..6 {
        app.anonymous().post("/api/users/forgot-password", json!({ "email": ada.email })).await;
    }
    app.run_jobs().await;
    let before = mails_to(&app, &ada.email);
    for letter in 'a'..='h' {
        log_in_by(&app.anonymous(), &letter.to_string().repeat(9), &ada.email, PASSWORD).await.ok(200);
    }
    app.run_jobs().await;
    assert_eq!(mails_to(&app, &ada.email) - before, 5, "of one kind");
    let change = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
    ada.patch("/api/users/me/password", change).await.ok(200);
    app.run_jobs().await;
    assert_eq!(mails_to(&app, &ada.email) - before, 6, "of another kind");
}

#[tokio::test]
async fn mails_that_strangers_cause_do_not_use_up_the_way_back_of_a_proven_address() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.run_jobs().await;
    confirm(&app, &ada.email).await;
    for _ in 0..6 {
        app.anonymous().post("/api/users/forgot-password", json!({ "email": ada.email })).await;
    }
    ada.patch(&format!("/api/users/{}", ada.id), json!({ "email": "thief@example.org" })).await.ok(200);
    app.run_jobs().await;
    let undo = json!({ "token": token_in_mail(&app, &ada.email) });
    app.anonymous().post("/api/users/undo-email-change", undo).await.ok(200);
    app.run_jobs().await;
    let reset = json!({ "token": token_in_mail(&app, &ada.email), "new_password": NEW_PASSWORD });
    app.anonymous().post("/api/users/reset-password", reset).await.ok(200);
}

#[tokio::test]
async fn a_registration_by_an_address_that_got_too_many_mails_goes_through_without_one() {
    let app = TestApp::start().await;
    let register = async || {
        let body = json!({ "username": "ada", "email": VICTIM, "password": PASSWORD });
        app.anonymous().post("/api/users", body).await.ok(201)["id"].as_str().unwrap().to_owned()
    };
    for _ in 0..5 {
        let id = register().await;
        let tokens = app.anonymous().log_in(VICTIM, PASSWORD).await.ok(200);
        let ada = app.bearer(tokens["access_token"].as_str().map(str::to_owned));
        app.run_jobs().await;
        ada.delete(&format!("/api/users/{id}")).await.ok(204);
    }
    register().await;
    app.run_jobs().await;
    assert_eq!(mails_to(&app, VICTIM), 5);
    app.anonymous().post("/api/users/resend-verification", json!({ "email": VICTIM })).await.ok(202);
    app.run_jobs().await;
    confirm(&app, VICTIM).await;
}

#[tokio::test]
async fn a_name_leads_nowhere_in_a_mail_to_an_address_that_nobody_has_proven() {
    let app = TestApp::start().await;
    let name = "see www.evil.example/x now";
    let body = json!({ "username": name, "email": VICTIM, "password": PASSWORD });
    app.anonymous().post("/api/users", body).await.ok(201);
    let greeted = async || {
        app.anonymous().post("/api/users/forgot-password", json!({ "email": VICTIM })).await.ok(202);
        app.run_jobs().await;
        let mail = app.mailbox().find_newest_to(VICTIM).unwrap();
        assert_eq!(mail.text.contains(name), mail.html.contains(name));
        mail.text.contains(name)
    };
    app.run_jobs().await;
    let mail = app.mailbox().find_newest_to(VICTIM).unwrap();
    assert!(!mail.text.contains("evil.example") && mail.text.contains("Hello see www evil example x now,"));
    assert!(!greeted().await);
    let reset = json!({ "token": token_in_mail(&app, VICTIM), "new_password": NEW_PASSWORD });
    app.anonymous().post("/api/users/reset-password", reset).await.ok(200);
    assert!(greeted().await, "its reader has proven it");
}

#[tokio::test]
async fn the_mail_to_a_former_address_names_neither_the_new_one_nor_its_site() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let body = json!({ "email": "thief@evil.example", "username": "go to evil.example" });
    ada.patch(&format!("/api/users/{}", ada.id), body).await.ok(200);
    app.run_jobs().await;
    let mail = app.mailbox().find_newest_to(&ada.email).unwrap();
    assert!(mail.text.contains("t…@e….example") && !mail.text.contains("evil.example"), "{}", mail.text);
}

#[tokio::test]
async fn the_mail_about_a_login_names_the_device_in_words_of_ours() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.run_jobs().await;
    confirm(&app, &ada.email).await;
    let odd = "unusual activity! confirm at https://evil.example/secure or your account is lost Bot/1";
    for (program, device) in [(FIREFOX, "Firefox on Linux"), (odd, "Unknown device")] {
        log_in_by(&app.anonymous(), program, &ada.email, PASSWORD).await.ok(200);
        app.run_jobs().await;
        let mail = app.mailbox().find_newest_to(&ada.email).unwrap();
        for text in [&mail.text, &mail.html] {
            assert!(text.contains(device) && !text.contains("evil.example") && !text.contains("Mozilla"), "{text}");
        }
        app.clock.advance(SignedDuration::from_secs(1));
    }
}

async fn try_code(app: &TestApp, network: &str, code: &str) -> Answer {
    let body = json!({ "email": VICTIM, "code": code, "password": PASSWORD });
    app.anonymous().at(network).post("/api/users/verify-email", body).await
}

fn another_code(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

#[tokio::test]
async fn wrong_codes_of_others_do_not_use_up_those_of_the_network_that_asked() {
    for configure in [|_: &mut Config| (), verified] {
        let app = TestApp::with(configure).await;
        let body = json!({ "username": "ada", "email": VICTIM, "password": PASSWORD });
        app.anonymous().at("192.0.2.1").post("/api/users", body).await;
        app.run_jobs().await;
        let code = code_in_mail(&app, VICTIM);
        for number in 0..20 {
            let answer = try_code(&app, &format!("198.51.100.{number}"), another_code(&code)).await;
            answer.problem(400, "invalid_verification");
        }
        // Other networks share five attempts, so that many networks get no more guesses than one.
        try_code(&app, "203.0.113.9", &code).await.problem(400, "invalid_verification");
        for _ in 0..4 {
            try_code(&app, "192.0.2.1", another_code(&code)).await.problem(400, "invalid_verification");
        }
        try_code(&app, "192.0.2.1", &code).await.ok(200);
    }
}

#[tokio::test]
async fn newer_registrations_of_others_do_not_push_away_that_of_the_network_that_asks() {
    let app = TestApp::with(verified).await;
    let register = async |network: &str, name: &str, password: &str| {
        let body = json!({ "username": name, "email": VICTIM, "password": password });
        app.anonymous().at(network).post("/api/users", body).await.ok(202);
        app.run_jobs().await;
        app.clock.advance(SignedDuration::from_secs(1));
    };
    register("192.0.2.1", "ada", PASSWORD).await;
    let (link, code) = (token_in_mail(&app, VICTIM), code_in_mail(&app, VICTIM));
    for number in 0..4 {
        register(&format!("198.51.100.{number}"), &format!("eve{number}"), NEW_PASSWORD).await;
    }
    let newest = token_in_mail(&app, VICTIM);
    app.clock.advance(SignedDuration::from_mins(13));
    app.anonymous().at("192.0.2.1").post("/api/users/resend-verification", json!({ "email": VICTIM })).await.ok(202);
    app.run_jobs().await;
    assert_eq!(token_in_mail(&app, VICTIM), link);
    // The link belongs to another registration, but the password selects the one that is meant.
    let wrong = json!({ "token": newest, "password": "no registration has this one" });
    app.anonymous().at("192.0.2.1").post("/api/users/verify-email", wrong).await.problem(400, "wrong_password");
    try_code(&app, "192.0.2.1", &code).await.ok(200);
    let ada = app.anonymous().log_in(VICTIM, PASSWORD).await.ok(200);
    let ada = app.bearer(ada["access_token"].as_str().map(str::to_owned));
    assert_eq!(ada.get("/api/users/me").await.ok(200)["username"], "ada");
}
