//! Responses to an accepted form: a redirect, and a notice on the next page.

use axum::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::visitor::Visitor;
use crate::http::cookie;
use crate::http::problem::limit_headers;
use crate::{Tokens, TooManyAttempts};

/// How long a notice may wait to be shown, in seconds.
const DONE_SECONDS: u32 = 60;

/// A redirect by `GET` (303).
pub struct Redirect {
    location: String,
    cookies: Vec<HeaderValue>,
}

impl Redirect {
    /// Redirects to a path of this site.
    pub fn path(path: impl Into<String>) -> Self {
        Self { location: path.into(), cookies: Vec::new() }
    }

    /// Adds a notice to the next page: the text `done-<what>`.
    ///
    /// # Panics
    /// When `what` is not made of letters and hyphens.
    #[must_use]
    pub fn done(self, visitor: &Visitor, what: &'static str) -> Self {
        self.cookies(cookie::set_plain(visitor.cookies(), "done", what, DONE_SECONDS))
    }

    /// Adds the cookies of a login.
    pub(super) fn logged_in(self, visitor: &Visitor, tokens: &Tokens) -> Self {
        let cookies = visitor.cookies();
        let device = tokens.device_cookie.as_ref().and_then(|device| cookie::set_device(cookies, device));
        self.cookies(cookie::set(cookies, visitor.accounts().config(), &tokens.session_cookie, tokens.stay))
            .cookies(device)
    }

    pub(super) fn cookies(mut self, cookies: impl IntoIterator<Item = HeaderValue>) -> Self {
        self.cookies.extend(cookies);
        self
    }
}

impl IntoResponse for Redirect {
    fn into_response(self) -> Response {
        let location = HeaderValue::try_from(self.location).unwrap_or(HeaderValue::from_static("/"));
        let headers = [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
        let mut response = (StatusCode::SEE_OTHER, headers).into_response();
        for cookie in self.cookies {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}

/// Keeps the page's URL, which is a secret, out of the `Referer` header, and so from other sites and the logs of our proxies. With
/// `no-referrer` the page's own form would send `Origin: null`, as a form on another site may; `strict-origin` names only the site.
pub(super) fn origin_only_referrer(mut response: Response) -> Response {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    response
}

/// Adds rate-limit headers, which say when to retry.
pub(super) fn later(mut response: Response, limited: &TooManyAttempts) -> Response {
    response.headers_mut().extend(limit_headers(limited));
    response
}
