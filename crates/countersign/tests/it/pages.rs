//! The account pages in a browser without JavaScript.

use axum::body::Body;
use axum::http::Request;
use countersign::config::RegistrationMode;
use countersign::testing::{Answer, Browser, PASSWORD, TestApp};
use jiff::SignedDuration;

use crate::token_in_mail;

const NEW_PASSWORD: &str = "another horse entirely";

#[track_caller]
fn shows(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    assert!(answer.text().contains(text), "{text}: {}", answer.text());
}

#[track_caller]
fn leads_to(answer: &Answer, path: &str) {
    assert_eq!((answer.status, answer.headers["location"].to_str().unwrap()), (303, path), "{}", answer.text());
}

async fn registered(app: &TestApp, name: &str) -> Browser {
    let browser = app.browser();
    let email = format!("{name}@example.com");
    let fields = [("username", name), ("email", email.as_str()), ("password", PASSWORD)];
    leads_to(&browser.submit("/register", &fields).await, "/");
    browser
}

#[tokio::test]
async fn whoever_registers_by_the_page_is_logged_in_and_verifies_by_the_mail() {
    let app = TestApp::start().await;
    let browser = registered(&app, "ada").await;
    app.run_jobs().await;
    let page = browser.open("/account").await;
    shows(&page, 200, "not confirmed yet");
    assert!(page.text().contains("Welcome!"), "what was done is said once");
    assert!(!browser.open("/account").await.text().contains("Welcome!"));

    let token = token_in_mail(&app, "ada@example.com");
    let path = format!("/verify-email?token={token}");
    for _ in 0..3 {
        shows(&browser.open(&path).await, 200, &token);
    }
    assert!(browser.open("/account").await.text().contains("not confirmed yet"), "following the link changes nothing");
    let page = browser.submit_and_follow("/verify-email", &[("token", &token)]).await;
    shows(&page, 200, "your e-mail address is confirmed");
    assert!(!page.text().contains("not confirmed yet"));
    shows(&browser.submit("/verify-email", &[("token", &token)]).await, 400, "no longer valid");
}

#[tokio::test]
async fn a_faulty_registration_comes_back_with_what_was_typed_but_for_the_password() {
    let app = TestApp::start().await;
    registered(&app, "ada").await;
    let browser = app.browser();
    let page = browser.submit("/register", &[("username", "a@b"), ("email", "nowhere"), ("password", "secret1")]).await;
    shows(&page, 422, "value=\"a@b\"");
    let text = page.text();
    for part in [
        "value=\"nowhere\"",
        "id=\"username-error\"",
        "aria-describedby=\"username-hint username-error\" aria-invalid=\"true\"",
        "<a href=\"#email\">",
        "<a href=\"#password\">",
        "role=\"alert\"",
        "autocomplete=\"new-password\"",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("secret1"));
    shows(&browser.submit("/register", &[]).await, 422, "Please fill in this field.");
    let taken = [("username", "ADA"), ("email", "other@example.com"), ("password", PASSWORD)];
    shows(&browser.submit("/register", &taken).await, 400, "This username is already taken.");
    let taken = [("username", "eve"), ("email", "Ada@Example.com"), ("password", PASSWORD)];
    shows(&browser.submit("/register", &taken).await, 400, "An account with this e-mail address already exists.");
    let common = [("username", "eve"), ("email", "eve@example.com"), ("password", "password1")];
    shows(&browser.submit("/register", &common).await, 422, "among the most common ones");
}

#[tokio::test]
async fn a_registration_that_awaits_proof_tells_nothing_and_is_completed_by_the_mail() {
    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Verified).await;
    let browser = app.browser();
    let fields = [("username", "ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
    let page = browser.submit_and_follow("/register", &fields).await;
    shows(&page, 200, "We have sent you an e-mail.");
    shows(&page, 200, "value=\"ada@example.com\"");
    shows(&page, 200, "The password that you chose for this account.");
    app.run_jobs().await;
    let token = token_in_mail(&app, "ada@example.com");
    shows(
        &browser.open(&format!("/verify-email?token={token}")).await,
        200,
        "The password that you chose for this account.",
    );
    let prove = async |password: &str| {
        browser.submit("/verify-email", &[("token", token.as_str()), ("password", password)]).await
    };
    shows(&prove("").await, 422, "Please enter the password that you chose for this account.");
    shows(&prove("another one").await, 400, "This is not the password chosen at registration.");
    let fields = [("token", token.as_str()), ("password", PASSWORD)];
    shows(&browser.submit_and_follow("/verify-email", &fields).await, 200, "You can log in now.");
    leads_to(&browser.log_in("ada@example.com", PASSWORD).await, "/");
    // The next registration gets the same response.
    let other = app.browser();
    let fields = [("username", "eve"), ("email", "ada@example.com"), ("password", PASSWORD)];
    shows(&other.submit_and_follow("/register", &fields).await, 200, "We have sent you an e-mail.");
}

#[tokio::test]
async fn a_login_sets_the_cookie_and_leads_back_but_never_to_another_site() {
    let app = TestApp::start().await;
    registered(&app, "ada").await;
    for (next, expected) in [
        ("/posts/1?a=b", "/posts/1?a=b"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("/\r\nset-cookie: a=b", "/"),
    ] {
        let browser = app.browser();
        let fields = [("username", "ada@example.com"), ("password", PASSWORD), ("next", next)];
        let answer = browser.submit("/login", &fields).await;
        leads_to(&answer, expected);
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
        shows(&browser.open("/account").await, 200, "ada@example.com");
    }
    let page = app.browser().open("/login?next=//evil.example").await;
    shows(&page, 200, "name=\"next\" value=\"\"");
    leads_to(&app.browser().open("/account").await, "/login?next=/account");
}

#[tokio::test]
async fn cookies_of_pages_are_secure_and_of_this_host_alone() {
    let app = TestApp::with(|config| config.public_url = "https://accounts.example.org".parse().unwrap()).await;
    let browser = registered(&app, "ada").await;
    browser.submit("/preferences", &[("theme", "dark"), ("language", "de")]).await;
    for name in ["session", "done", "theme", "language"] {
        assert!(browser.cookie(&format!("__Host-{name}")).is_some() && browser.cookie(name).is_none(), "{name}");
    }
    for (path, fields) in [("/preferences", ("theme", "light")), ("/preferences", ("language", "en"))] {
        let answer = browser.submit(path, &[fields]).await;
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure") && cookie.contains("; Path=/;"), "{cookie}");
    }
    // A cookie set by another host of the domain has another name.
    browser.set_cookie("theme", "dark");
    assert!(browser.open("/account").await.text().contains("data-theme=\"light\""));
}

#[tokio::test]
async fn a_failed_login_says_so_and_keeps_the_address() {
    let app = TestApp::start().await;
    registered(&app, "ada").await;
    let browser = app.browser();
    for email in ["ada@example.com", "nobody@example.com"] {
        let page = browser.log_in(email, "wrong password").await;
        shows(&page, 401, "Incorrect email or password.");
        assert!(page.text().contains(&format!("value=\"{email}\"")));
        assert!(!page.text().contains("wrong password"));
    }
    assert_eq!(browser.cookie("session"), None);
    shows(&browser.log_in("ada@example.com", "").await, 422, "Please fill in this field.");
}

#[tokio::test]
async fn forms_on_pages_of_other_sites_are_refused_also_for_nobody() {
    let app = TestApp::start().await;
    let ada = registered(&app, "ada").await;
    let nobody = app.browser();
    let fields = [("username", "ada@example.com"), ("password", PASSWORD)];
    for path in ["/login", "/register", "/forgot-password", "/reset-password", "/verify-email", "/preferences"] {
        nobody.submit_from_elsewhere(path, &fields).await.problem(403, "cross_site");
    }
    for path in ["/logout", "/account/profile", "/account/password", "/account/delete", "/account/sessions/end-others"]
    {
        ada.submit_from_elsewhere(path, &fields).await.problem(403, "cross_site");
    }
    shows(&ada.open("/account").await, 200, "ada@example.com");
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_pages() {
    let app = TestApp::start().await;
    registered(&app, "ada").await;
    app.run_jobs().await;
    let browser = app.browser();
    for email in ["ada@example.com", "nobody@example.com"] {
        let page = browser.submit_and_follow("/forgot-password", &[("email", email)]).await;
        shows(&page, 200, "If an account exists with this email, you will receive password reset instructions.");
    }
    app.run_jobs().await;
    let token = token_in_mail(&app, "ada@example.com");
    let page = browser.open(&format!("/reset-password?token={token}")).await;
    shows(&page, 200, &token);
    assert_eq!(page.headers["referrer-policy"], "strict-origin");
    let fields = [("token", token.as_str()), ("new_password", "short")];
    shows(&browser.submit("/reset-password", &fields).await, 422, "at least 8 characters");
    let fields = [("token", token.as_str()), ("new_password", NEW_PASSWORD)];
    shows(&browser.submit_and_follow("/reset-password", &fields).await, 200, "Password reset successfully.");
    shows(&browser.submit("/reset-password", &fields).await, 400, "no longer valid");
    leads_to(&browser.log_in("ada@example.com", NEW_PASSWORD).await, "/");
}

#[tokio::test]
async fn the_account_page_changes_name_password_and_sessions() {
    let app = TestApp::start().await;
    let (browser, elsewhere) = (registered(&app, "ada").await, app.browser());
    leads_to(&elsewhere.log_in("ada@example.com", PASSWORD).await, "/");
    let page = browser.submit_and_follow("/account/profile", &[("username", "Countess")]).await;
    shows(&page, 200, "Your profile has been saved.");
    shows(&page, 200, "value=\"Countess\"");
    let page = browser.submit_and_follow("/account/sessions/end-others", &[]).await;
    shows(&page, 200, "All other sessions have been ended.");
    leads_to(&elsewhere.open("/account").await, "/login?next=/account");
    let wrong = [("current_password", "not this one"), ("new_password", NEW_PASSWORD)];
    shows(&browser.submit("/account/password", &wrong).await, 400, "The current password is incorrect.");
    let right = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
    shows(&browser.submit_and_follow("/account/password", &right).await, 200, "Your password has been changed.");
    leads_to(&browser.submit("/logout", &[]).await, "/");
    leads_to(&browser.open("/account").await, "/login?next=/account");
}

#[tokio::test]
async fn an_old_login_needs_the_password_for_another_address_and_for_the_end() {
    let app = TestApp::start().await;
    let browser = registered(&app, "ada").await;
    app.clock.advance(SignedDuration::from_hours(1));
    shows(&browser.open("/account").await, 200, "id=\"email-password\"");
    let fields = [("email", "new@example.com")];
    shows(&browser.submit("/account/email", &fields).await, 422, "value=\"new@example.com\"");
    shows(
        &browser.submit("/account/delete", &[("password", "wrong one")]).await,
        422,
        "The current password is incorrect.",
    );
    let fields = [("email", "new@example.com"), ("password", PASSWORD)];
    shows(&browser.submit_and_follow("/account/email", &fields).await, 200, "new@example.com is not confirmed yet");
    leads_to(&browser.submit("/account/delete", &[]).await, "/");
    shows(&browser.log_in("ada@example.com", PASSWORD).await, 401, "Incorrect email or password.");
}

#[tokio::test]
async fn a_change_of_the_address_is_confirmed_and_undone_by_pages() {
    let app = TestApp::start().await;
    let browser = registered(&app, "ada").await;
    browser.submit("/account/email", &[("email", "new@example.com")]).await;
    app.run_jobs().await;
    let token = token_in_mail(&app, "new@example.com");
    shows(&browser.submit_and_follow("/verify-email", &[("token", &token)]).await, 200, "address has been changed.");
    app.run_jobs().await;
    let token = token_in_mail(&app, "ada@example.com");
    shows(
        &browser.open(&format!("/undo-email-change?token={token}")).await,
        200,
        "gets its previous e-mail address back",
    );
    let page = browser.submit_and_follow("/undo-email-change", &[("token", &token)]).await;
    shows(&page, 200, "has its previous e-mail address again");
    shows(&browser.submit("/undo-email-change", &[("token", &token)]).await, 400, "no longer valid");
}

#[tokio::test]
async fn pages_come_in_the_language_and_colours_that_were_chosen() {
    let app = TestApp::start().await;
    let browser = app.browser();
    leads_to(&browser.submit("/preferences", &[("language", "de"), ("next", "/login")]).await, "/login");
    leads_to(&browser.submit("/preferences", &[("theme", "dark"), ("next", "//evil.example")]).await, "/");
    let page = browser.open("/login").await;
    shows(&page, 200, "<html lang=\"de\" dir=\"ltr\" data-theme=\"dark\">");
    shows(&page, 200, "Anmelden");
    browser.submit("/preferences", &[("theme", "auto"), ("language", "../xx")]).await;
    shows(&browser.open("/login").await, 200, "<html lang=\"de\" dir=\"ltr\">");
    browser.set_cookie("theme", "\"><script>");
    browser.set_cookie("done", "<script>");
    assert!(!browser.open("/login").await.text().contains("<script>"));
}

#[tokio::test]
async fn pages_allow_no_script_and_style_but_the_sites_own_and_escape_what_people_write() {
    let app = TestApp::start().await;
    let browser = registered(&app, "ada").await;
    let name = "\"><img src=x onerror=alert(1)>";
    let page = browser.submit_and_follow("/account/profile", &[("username", name)]).await;
    shows(&page, 200, "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;");
    assert!(!page.text().contains("<img src=x"));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe") && policy.contains("form-action 'self'; frame-ancestors 'none'"), "{policy}");
    assert!(!page.text().contains(" style=") && !page.text().contains(" onclick="));
    assert_eq!(page.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn assets_are_kept_for_good_under_the_address_of_their_version() {
    let app = TestApp::start().await;
    let browser = app.browser();
    let page = browser.open("/login").await.text();
    for name in ["site.css", "site.js", "favicon.svg"] {
        let path = page.split('"').find(|part| part.ends_with(name)).expect("the page names it").to_owned();
        let asset = browser.open(&path).await;
        assert_eq!(
            (asset.status, &asset.headers["cache-control"]),
            (200, &"public, max-age=31536000, immutable".parse().unwrap())
        );
        let other = browser.open(&format!("/assets/another/{name}")).await;
        assert_eq!((other.status, &other.headers["cache-control"]), (200, &"no-cache".parse().unwrap()));
    }
    browser.open("/assets/x/nothing.css").await.problem(404, "not_found");
}

#[tokio::test]
async fn the_login_says_when_browsers_will_not_keep_the_session() {
    let page = async |site: &str, host: &str, path: &str, language: &str| {
        let app = TestApp::with(|config| config.public_url = site.parse().unwrap()).await;
        let request = Request::get(path).header("host", host).header("accept-language", language);
        app.anonymous().send_request(request.body(Body::empty()).unwrap()).await.text()
    };
    for (site, host, is_lost) in [
        ("http://localhost:8000", "localhost:8000", false),
        ("http://localhost:8000", "nas:8000", true),
        ("http://nas", "nas", true),
        ("http://nas", "localhost", true),
        ("https://accounts.example.org", "accounts.example.org", false),
        ("https://accounts.example.org", "127.0.0.1:8000", false),
    ] {
        for path in ["/login", "/register"] {
            for (language, title) in [("en", "You will not stay logged in"), ("de", "Sie bleiben nicht angemeldet")] {
                let text = page(site, host, path, language).await;
                let shown = text.contains("role=\"alert\"") && text.contains(title);
                assert_eq!(shown, is_lost, "{site} {host} {path} {language}");
                assert_eq!(text.contains("TLS_CERT_FILE"), is_lost, "{site} {host} {path} {language}");
            }
        }
    }
}
