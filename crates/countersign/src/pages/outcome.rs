//! How a form that was taken ends: the browser is sent on, and the next page says what was done.

use axum::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::visitor::Visitor;
use crate::http::cookie;
use crate::http::problem::limit_headers;
use crate::{Tokens, TooManyAttempts};

/// How long what was done may wait to be said, in seconds.
const DONE_SECONDS: u32 = 60;

/// Sends the browser on by `GET` (303).
pub struct To {
    location: String,
    cookies: Vec<HeaderValue>,
}

impl To {
    /// To a path of this site.
    pub fn path(path: impl Into<String>) -> Self {
        Self { location: path.into(), cookies: Vec::new() }
    }

    /// And has the next page say to the visitor what was done: the text `done-<what>`.
    ///
    /// # Panics
    /// When `what` is not made of letters and hyphens.
    #[must_use]
    pub fn done(self, visitor: &Visitor, what: &'static str) -> Self {
        self.cookies(cookie::set_plain(visitor.cookies(), "done", what, DONE_SECONDS))
    }

    /// With the cookies of a login.
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

impl IntoResponse for To {
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

/// The address of the page is a secret, which nobody shall learn from what the page asks for next: no other site, and no log of a
/// proxy of ours. With `no-referrer` the page's own form would come with `Origin: null`, as those of other sites do; so the
/// site is named, and never the page.
pub(super) fn secretive(mut response: Response) -> Response {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    response
}

/// The page says that something was tried too often; when it may be tried again stands in its headers.
pub(super) fn later(mut response: Response, limited: &TooManyAttempts) -> Response {
    response.headers_mut().extend(limit_headers(limited));
    response
}
