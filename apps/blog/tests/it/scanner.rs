//! Mail scanners open every link before the reader does, and some press buttons: this uses up no secret.
//!
//! The scanner requests with GET and HEAD every link in every mail, the links of those pages and the actions of their
//! forms, and submits GET forms. It runs no scripts and sends no POST.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use blog::{Blog, State};
use countersign::config::{Config, RegistrationMode};
use countersign::testing::{Answer, PASSWORD, TestApp};
use countersign_server::{HttpSettings, assemble, openapi};
use serde_json::{Value, json};

use crate::{settings, with_pages};

const SITE: &str = "http://localhost:8000";
const NEW_PASSWORD: &str = "another horse entirely";
/// Upper bound on the addresses of a site, against an endless walk.
const ADDRESSES_MAX: usize = 2_000;

async fn blog_with(configure: impl FnOnce(&mut Config)) -> TestApp {
    let configure = |config: &mut Config| {
        with_pages(config);
        configure(config);
    };
    TestApp::host_with(&[&blog::MIGRATIONS], configure, |accounts| {
        (assemble::<Blog>(State::new(accounts, &settings()), &settings(), &HttpSettings::default()), openapi::<Blog>())
    })
    .await
}

/// What a scanner has requested and found.
#[derive(Default)]
struct Scanner {
    asked: BTreeSet<String>,
    /// Number of mail links that carry a secret.
    secrets: usize,
    pages: usize,
    forms: usize,
}

impl Scanner {
    /// Scans all mails so far.
    async fn scan(&mut self, app: &TestApp) {
        let mut waiting = Vec::new();
        for mail in app.mailbox().list() {
            for part in [&mail.text, &unescaped(&mail.html)] {
                waiting.extend(addresses(part));
            }
        }
        self.secrets += waiting.iter().filter(|address| address.contains("token=")).count();
        while let Some(address) = waiting.pop() {
            assert!(self.asked.len() < ADDRESSES_MAX, "{:?}", self.asked);
            if !self.asked.insert(address.clone()) {
                continue;
            }
            ask(app, "HEAD", &address).await;
            let answer = ask(app, "GET", &address).await;
            assert!(answer.status < 500, "{address}: {}", answer.text());
            waiting.extend(answer.headers.get("location").and_then(|place| local(place.to_str().unwrap())));
            let is_page =
                answer.headers.get("content-type").is_some_and(|found| found.to_str().unwrap().contains("html"));
            if is_page && answer.status == 200 {
                self.pages += 1;
                waiting.extend(self.read(&answer.text(), &address));
            }
        }
    }

    /// Returns the targets of a page: links, GET forms with their fields, and the actions of all forms.
    fn read(&mut self, page: &str, own: &str) -> Vec<String> {
        let mut found = Vec::new();
        for link in tags(page, "a").iter().filter_map(|tag| attribute(tag, "href")) {
            found.extend(local(&link));
        }
        for form in page.split("<form").skip(1) {
            self.forms += 1;
            let (tag, rest) = form.split_once('>').unwrap();
            let content = rest.split("</form").next().unwrap();
            let action = attribute(tag, "action").filter(|action| !action.is_empty()).unwrap_or_else(|| own.to_owned());
            let Some(action) = local(&action) else { continue };
            let mut fields = Vec::new();
            for kind in ["input", "button"] {
                fields.extend(tags(content, kind).iter().filter_map(|tag| {
                    let value = attribute(tag, "value").unwrap_or_default();
                    Some(format!("{}={value}", attribute(tag, "name")?))
                }));
            }
            // Submitted with GET regardless of its method; a POST form must ignore that.
            let (place, _) = action.split_once('?').unwrap_or((&action, ""));
            found.push(format!("{place}?{}", fields.join("&").replace(' ', "+")));
            found.push(action);
        }
        found
    }
}

async fn ask(app: &TestApp, method: &str, address: &str) -> Answer {
    let request = Request::builder().method(method).uri(address).header("host", "localhost:8000");
    let request = request.header("user-agent", "SafeLinks/1.0").header("accept", "text/html,*/*");
    app.anonymous().send_request(request.body(Body::empty()).unwrap()).await
}

/// Returns the URLs of our site in a text.
fn addresses(text: &str) -> Vec<String> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\'');
    let places = text.match_indices(SITE).map(|(start, _)| text[start..].split(ends).next().unwrap());
    places.filter_map(local).collect()
}

/// Returns path and query if the URL belongs to our site.
fn local(address: &str) -> Option<String> {
    let path = address.strip_prefix(SITE).unwrap_or(address);
    let path = path.split('#').next().unwrap_or_default();
    (path.starts_with('/') && !path.starts_with("//")).then(|| path.to_owned())
}

/// Returns the attributes of each tag with this name.
pub(crate) fn tags(page: &str, name: &str) -> Vec<String> {
    let begin = format!("<{name} ");
    page.split(&begin).skip(1).map(|rest| rest.split('>').next().unwrap().to_owned()).collect()
}

pub(crate) fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}="))?;
    let value = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split(|c: char| c.is_whitespace() || c == '>').next()?,
    };
    Some(unescaped(value))
}

fn unescaped(text: &str) -> String {
    text.replace("&#x2f;", "/")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#61;", "=")
        .replace("&amp;", "&")
}

/// Returns the token of the newest link to `page` in a mail to `address`.
fn token(app: &TestApp, address: &str, page: &str) -> String {
    let mails = app.mailbox().list();
    let begin = format!("{SITE}/{page}?token=");
    let mut tokens = mails.iter().filter(|mail| mail.to.as_str() == address).filter_map(|mail| {
        let (_, token) = mail.text.split_once(&begin)?;
        token.split_whitespace().next().map(str::to_owned)
    });
    tokens.next().unwrap_or_else(|| panic!("no link to {page} for {address}"))
}

async fn post(app: &TestApp, path: &str, body: Value) {
    app.anonymous().post(&format!("/api/users/{path}"), body).await.ok(200);
}

#[tokio::test]
async fn a_scanner_that_opens_every_link_uses_nothing_up() {
    let app = blog_with(|_| ()).await;
    let mut scanner = Scanner::default();
    let ada = app.user("ada").await;
    app.run_jobs().await;
    scanner.scan(&app).await;
    post(&app, "verify-email", json!({ "token": token(&app, "ada@example.com", "verify-email") })).await;

    ada.post("/api/users/me/email", json!({ "email": "ada@example.org" })).await.ok(202);
    app.run_jobs().await;
    scanner.scan(&app).await;
    post(&app, "verify-email", json!({ "token": token(&app, "ada@example.org", "verify-email") })).await;

    app.run_jobs().await;
    scanner.scan(&app).await;
    post(&app, "undo-email-change", json!({ "token": token(&app, "ada@example.com", "undo-email-change") })).await;

    app.run_jobs().await;
    scanner.scan(&app).await;
    let reset = token(&app, "ada@example.com", "reset-password");
    post(&app, "reset-password", json!({ "token": reset, "new_password": NEW_PASSWORD })).await;
    app.anonymous().log_in("ada@example.com", NEW_PASSWORD).await.ok(200);
    assert!(scanner.secrets >= 8, "{} links with secrets, in both parts of four mails", scanner.secrets);
    println!("{} addresses, {} pages, {} forms", scanner.asked.len(), scanner.pages, scanner.forms);
}

#[tokio::test]
async fn a_scanner_neither_completes_a_registration_nor_prevents_it() {
    let app = blog_with(|config| config.registration.mode = RegistrationMode::Verified).await;
    let mut scanner = Scanner::default();
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    app.anonymous().post("/api/users", body.clone()).await.ok(202);
    app.run_jobs().await;
    scanner.scan(&app).await;
    app.anonymous().log_in("ada@example.com", PASSWORD).await.problem(401, "wrong_credentials");
    let proof = json!({ "token": token(&app, "ada@example.com", "verify-email"), "password": PASSWORD });
    post(&app, "verify-email", proof).await;
    app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);

    // A second registration sends a mail about the existing account, whose links are scanned, too.
    app.anonymous().post("/api/users", body).await.ok(202);
    let forgot = json!({ "email": "ada@example.com" });
    app.anonymous().post("/api/users/forgot-password", forgot).await.ok(202);
    app.run_jobs().await;
    scanner.scan(&app).await;
    let reset = token(&app, "ada@example.com", "reset-password");
    post(&app, "reset-password", json!({ "token": reset, "new_password": NEW_PASSWORD })).await;
    app.anonymous().log_in("ada@example.com", NEW_PASSWORD).await.ok(200);
    assert!(scanner.secrets >= 4, "{}", scanner.secrets);
}
