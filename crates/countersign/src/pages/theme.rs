//! The language, the theme and the notice of a page: from cookies first, then from the browser's headers.

use std::time::Duration;

use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HeaderName, SET_COOKIE, VARY,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use tokio::time::timeout;

use super::next::in_query;
use super::shown::{picture_url, pictures_origin};
use crate::Accounts;
use crate::config::Config;
use crate::http::cookie;
use crate::http::problem::{INTERNAL, Problem};
use crate::model::{Language, User};
use crate::templates::{Value, context};

/// Pages run no script and use no style but the site's own files, submit forms only to the site, and cannot be framed. `blob:`
/// allows previewing a chosen picture.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'; img-src 'self' blob:";
/// How long an error page waits to find out who reads it.
const READER_WAIT_MAX: Duration = Duration::from_secs(1);
/// Pages of the accounts, to which a login does not lead back.
const OWN_PAGES: [&str; 7] =
    ["/login", "/register", "/forgot-password", "/reset-password", "/verify-email", "/undo-email-change", "/account"];

/// How a page is shown to a visitor.
#[derive(Clone, Debug)]
pub(super) struct Theme {
    pub(super) language: Language,
    pub(super) theme: Option<&'static str>,
    /// The notice of what was just done.
    done: Option<String>,
    pub(super) cookies: cookie::Jar,
    /// The path and query of the page.
    pub(super) here: String,
}

impl Theme {
    pub(super) fn of(config: &Config, jar: cookie::Jar, headers: &HeaderMap, here: &str) -> Self {
        let templates = &config.mail.templates;
        let cookies = |name| cookie::get_plain(jar, headers, name);
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|header| header.to_str().ok());
        let mut chosen = cookies("language").filter_map(|tag| Language::parse(tag).ok());
        let language = match chosen.find(|chosen| templates.catalogue().languages().contains(chosen)) {
            Some(chosen) => chosen,
            None => templates.negotiate(accepted).clone(),
        };
        let mut done = cookies("done").map(|what| format!("done-{what}"));
        Self {
            language,
            theme: cookies("theme").find_map(theme),
            // The notice is shown only if the response may also clear it.
            done: cookie::set_plain(jar, "done", "", 0).and_then(|_| done.find(|key| templates.catalogue().has(key))),
            cookies: jar,
            here: here.to_owned(),
        }
    }

    /// Renders a page, with the values that all templates share and `own`.
    pub(super) fn page(
        &self,
        accounts: &Accounts,
        user: Option<&User>,
        status: StatusCode,
        template: &str,
        own: Value,
    ) -> Response {
        let policy = &accounts.config().mail;
        let templates = &policy.templates;
        let languages: Vec<Value> = templates
            .catalogue()
            .languages()
            .iter()
            .map(|language| {
                let name = templates.catalogue().text(language, "language-name", &[]).unwrap_or_default();
                context! { tag => language.to_string(), name }
            })
            .collect();
        let shared = context! {
            site => policy.site_name.as_str(),
            site_url => accounts.config().public_url.as_str(),
            user => user.map(|user| shown_user(accounts, user)),
            theme => self.theme,
            here => self.here.as_str(),
            next_query => self.next_query(),
            languages,
            done => self.done.as_deref(),
            // Browsers drop a secure cookie that was set over plain HTTP.
            cookies_are_lost => self.cookies.kind() == cookie::Kind::Secure && !accounts.config().public_url.is_https(),
        };
        match templates.render(template, &self.language, context! { ..own, ..shared }) {
            Ok(page) => (status, self.headers(accounts), Html(page)).into_response(),
            Err(error) => {
                tracing::error!(%error, "a page could not be put together");
                Problem::new(&INTERNAL).into_response()
            }
        }
    }

    fn headers(&self, accounts: &Accounts) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let elsewhere = pictures_origin(accounts).and_then(|origin| format!("{POLICY} {origin}").try_into().ok());
        headers.insert(CONTENT_SECURITY_POLICY, elsewhere.unwrap_or(HeaderValue::from_static(POLICY)));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(VARY, HeaderValue::from_static("cookie, accept-language"));
        if self.done.is_some() {
            headers.extend(cookie::set_plain(self.cookies, "done", "", 0).map(|cookie| (SET_COOKIE, cookie)));
        }
        headers
    }

    fn next_query(&self) -> String {
        let path = self.here.split('?').next().unwrap_or_default();
        let leads_back = path != "/" && !OWN_PAGES.iter().any(|own| path.starts_with(own));
        if leads_back { format!("?next={}", in_query(&self.here)) } else { String::new() }
    }
}

fn shown_user(accounts: &Accounts, user: &User) -> Value {
    let profile = user.profile();
    context! {
        id => user.id.to_string(),
        username => user.username.as_str(),
        picture => picture_url(accounts, &profile),
        has_picture => user.image_file.is_some(),
    }
}

/// The theme of this name; `None` for the system's preference.
pub(super) fn theme(name: &str) -> Option<&'static str> {
    ["light", "dark"].into_iter().find(|theme| *theme == name)
}

/// An error page, in the reader's language and the host's layout.
#[derive(Clone, Debug)]
pub struct ErrorPage {
    cookies: cookie::Jar,
    headers: HeaderMap,
}

impl ErrorPage {
    /// Keeps what is needed from a request before it is handled.
    pub fn of(accounts: &Accounts, uri: &Uri, headers: &HeaderMap) -> Self {
        let mut kept = HeaderMap::with_capacity(2);
        let names: [HeaderName; 2] = [COOKIE, ACCEPT_LANGUAGE];
        for name in names {
            for value in headers.get_all(&name) {
                kept.append(name.clone(), value.clone());
            }
        }
        Self { cookies: cookie::Jar::of(accounts.config(), uri, headers), headers: kept }
    }

    /// Renders the page, with the name of a logged-in user if the session is found in time.
    pub async fn render(&self, accounts: &Accounts, status: StatusCode) -> Response {
        let (heading, explanation) = match status {
            StatusCode::UNPROCESSABLE_ENTITY => ("problem-invalid-title", "problem-invalid-text"),
            StatusCode::UNAUTHORIZED => ("problem-login-title", "problem-text"),
            StatusCode::NOT_FOUND => ("problem-not-found-title", "problem-text"),
            StatusCode::SERVICE_UNAVAILABLE => ("problem-busy-title", "problem-text"),
            _ => ("problem-title", "problem-text"),
        };
        let own = context! { heading, explanation, status => status.as_u16() };
        let mut theme = Theme::of(accounts.config(), self.cookies, &self.headers, "/");
        // The next page shows the notice.
        theme.done = None;
        let reader = self.reader(accounts, status).await;
        theme.page(accounts, reader.as_ref(), status, "pages/error.html", own)
    }

    /// Finds the reader's session. An overloaded server gets no further query, and the timeout bounds the wait for a broken one.
    async fn reader(&self, accounts: &Accounts, status: StatusCode) -> Option<User> {
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return None;
        }
        let verified = accounts.verify_session_cookies(cookie::get(self.cookies, &self.headers));
        let found = timeout(READER_WAIT_MAX, verified).await.ok()?;
        found.ok()?.map(|found| found.user)
    }
}
