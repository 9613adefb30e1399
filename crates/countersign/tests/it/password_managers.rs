//! Support for password managers: they find the page to change a password, and each password form names its account.

use countersign::config::RegistrationMode;
use countersign::testing::{Answer, Browser, PASSWORD, TestApp};
use jiff::SignedDuration;

use crate::token_in_mail;

/// The forms of a page that have a password field.
fn password_forms(page: &Answer) -> Vec<String> {
    let text = page.text();
    let forms = text.split("<form ").skip(1).map(|rest| rest.split("</form>").next().unwrap().to_owned());
    forms.filter(|form| form.contains("type=\"password\"")).collect()
}

/// The input elements of a form.
fn inputs(form: &str) -> impl Iterator<Item = &str> {
    form.split("<input ").skip(1).map(|rest| rest.split('>').next().unwrap())
}

/// Asserts that every password form names its account before the password, with the address `account` if it is known.
#[track_caller]
fn names_the_account(page: &Answer, forms: usize, account: Option<&str>) {
    let found = password_forms(page);
    assert_eq!(found.len(), forms, "{}: {}", page.status, page.text());
    for form in found {
        let is_name = |input: &&str| input.contains("autocomplete=\"username\"");
        let names: Vec<&str> = inputs(&form).filter(is_name).collect();
        let [name] = names[..] else { panic!("{} names: {form}", names.len()) };
        let first_password = form.find("type=\"password\"").unwrap();
        assert!(form.find("autocomplete=\"username\"").unwrap() < first_password, "{form}");
        if let Some(account) = account {
            assert!(name.contains(&format!("value=\"{account}\"")), "{name}");
            assert!(name.contains(" readonly") && name.contains(" aria-hidden=\"true\""), "{name}");
        }
    }
}

async fn reset_token(app: &TestApp) -> String {
    app.browser().submit("/forgot-password", &[("email", "ada@example.com")]).await;
    app.run_jobs().await;
    token_in_mail(app, "ada@example.com")
}

async fn logged_in(app: &TestApp) -> Browser {
    let browser = app.browser();
    assert_eq!(browser.log_in("ada@example.com", PASSWORD).await.status, 303);
    browser
}

#[tokio::test]
async fn every_form_that_asks_for_a_password_names_the_account() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let browser = app.browser();
    names_the_account(&browser.open("/login").await, 1, None);
    names_the_account(&browser.open("/register").await, 1, None);
    let ada = logged_in(&app).await;
    let account = Some("ada@example.com");
    names_the_account(&ada.open("/account").await, 1, account);
    app.clock.advance(SignedDuration::from_hours(1));
    // Now changing the address and deleting the account require the password, too.
    names_the_account(&ada.open("/account").await, 2, account);
    names_the_account(&ada.open("/account/delete").await, 1, account);
    let token = reset_token(&app).await;
    names_the_account(&browser.open(&format!("/reset-password?token={token}")).await, 1, account);
    let fields = [("token", token.as_str()), ("new_password", "short"), ("account", "ada@example.com")];
    names_the_account(&browser.submit("/reset-password", &fields).await, 1, account);
}

#[tokio::test]
async fn a_registration_that_asks_for_its_password_names_the_address() {
    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Verified).await;
    let browser = app.browser();
    let fields = [("username", "ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
    names_the_account(&browser.submit_and_follow("/register", &fields).await, 1, None);
    app.run_jobs().await;
    let token = token_in_mail(&app, "ada@example.com");
    let account = Some("ada@example.com");
    names_the_account(&browser.open(&format!("/verify-email?token={token}")).await, 1, account);
    let fields = [("token", token.as_str()), ("password", "wrong"), ("account", "ada@example.com")];
    names_the_account(&browser.submit("/verify-email", &fields).await, 1, account);
}

#[tokio::test]
async fn a_token_that_is_not_valid_tells_nothing_and_a_look_uses_none_up() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let browser = app.browser();
    let of_address = {
        app.run_jobs().await;
        token_in_mail(&app, "ada@example.com")
    };
    let token = reset_token(&app).await;
    for other in ["nonsense", &of_address, &token.to_uppercase(), &format!("{token}x")] {
        let page = browser.open(&format!("/reset-password?token={other}")).await;
        assert_eq!(page.status, 200);
        assert!(!page.text().contains("ada@example.com") && !page.text().contains("name=\"account\""), "{other}");
    }
    let path = format!("/reset-password?token={token}");
    for _ in 0..3 {
        assert!(browser.open(&path).await.text().contains("value=\"ada@example.com\""));
    }
    let fields = [("token", token.as_str()), ("new_password", "another horse entirely")];
    assert_eq!(browser.submit("/reset-password", &fields).await.status, 303);
    assert!(!browser.open(&path).await.text().contains("ada@example.com"), "it has been used");
    let token = reset_token(&app).await;
    app.clock.advance(SignedDuration::from_hours(2));
    let page = browser.open(&format!("/reset-password?token={token}")).await;
    assert!(!page.text().contains("ada@example.com"), "it has run out");
}

#[tokio::test]
async fn the_well_known_address_leads_to_where_the_password_is_changed_also_by_the_login() {
    const HERE: &str = "/.well-known/change-password";
    let app = TestApp::start().await;
    app.user("ada").await;
    let leads_to = async |browser: &Browser, path: &str| {
        let answer = browser.open(path).await;
        assert_eq!(answer.status, 303, "{path}");
        answer.headers["location"].to_str().unwrap().to_owned()
    };
    let ada = logged_in(&app).await;
    assert_eq!(leads_to(&ada, HERE).await, "/account#password");
    let page = ada.open("/account").await.text();
    assert!(page.contains("id=\"password\"") && page.contains("action=\"/account/password\""), "{page}");

    let browser = app.browser();
    let login = leads_to(&browser, HERE).await;
    assert_eq!(login, format!("/login?next={HERE}"));
    assert!(browser.open(&login).await.text().contains(&format!("name=\"next\" value=\"{HERE}\"")));
    let fields = [("username", "ada@example.com"), ("password", PASSWORD), ("next", HERE)];
    let answer = browser.submit("/login", &fields).await;
    assert_eq!(answer.headers["location"].to_str().unwrap(), HERE);
    assert_eq!(leads_to(&browser, HERE).await, "/account#password");
}
