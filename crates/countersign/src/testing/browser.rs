//! A browser for tests: it keeps cookies and submits forms as browsers do.

use std::collections::BTreeMap;
use std::sync::Mutex;

use axum::body::Body;
use axum::http::Request;
use axum::http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};

use super::caller::form;
use super::{Answer, Caller};

/// A browser.
pub struct Browser {
    caller: Caller,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    pub(super) fn new(caller: Caller) -> Self {
        Self { caller, cookies: Mutex::default() }
    }

    /// Opens a page.
    pub async fn open(&self, path: &str) -> Answer {
        self.send("GET", path, "same-origin", Body::empty()).await
    }

    /// Submits a form of the site.
    pub async fn submit(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.send("POST", path, "same-origin", Body::from(form(pairs))).await
    }

    /// Submits a form from a page of another site.
    pub async fn submit_from_elsewhere(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.send("POST", path, "cross-site", Body::from(form(pairs))).await
    }

    /// Logs in on the login page.
    pub async fn log_in(&self, email: &str, password: &str) -> Answer {
        self.submit("/login", &[("username", email), ("password", password)]).await
    }

    /// Submits a form and opens the page that it redirects to.
    pub async fn submit_and_follow(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let answer = self.submit(path, pairs).await;
        assert_eq!(answer.status, 303, "{path}: {}", answer.text());
        let to = answer.headers["location"].to_str().expect("a path").to_owned();
        self.open(&to).await
    }

    /// Returns the value of a cookie.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().expect("no test panics while it holds the cookies").get(name).cloned()
    }

    /// Sets a cookie.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies
            .lock()
            .expect("no test panics while it holds the cookies")
            .insert(name.to_owned(), value.to_owned());
    }

    async fn send(&self, method: &str, path: &str, site: &str, body: Body) -> Answer {
        let cookies: Vec<String> = {
            let cookies = self.cookies.lock().expect("no test panics while it holds the cookies");
            cookies.iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("sec-fetch-site", site)
            .header("sec-fetch-mode", "navigate");
        if method == "POST" {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let answer = self.caller.send_request(request.body(body).expect("a request")).await;
        for header in answer.headers.get_all(SET_COOKIE) {
            let text = header.to_str().expect("a text");
            let (pair, attributes) = text.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a pair");
            let mut cookies = self.cookies.lock().expect("no test panics while it holds the cookies");
            if attributes.contains("Max-Age=0") {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}
