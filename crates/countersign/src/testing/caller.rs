//! The clients of a test, and the responses that they get.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tower::ServiceExt as _;

use super::browser::Browser;
use super::contract::Contract;
use crate::model::{ClientAddress, UserId};

pub(super) fn form(pairs: &[(&str, &str)]) -> String {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// A client that sends requests.
#[derive(Clone)]
pub struct Caller {
    pub(super) router: Router,
    pub(super) contract: Arc<Contract>,
    pub(super) token: Option<String>,
    pub(super) address: ClientAddress,
    pub(super) cookie: Option<String>,
}

/// A registered user who is logged in.
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The user's address.
    pub email: String,
    pub(super) caller: Caller,
}

impl Deref for User {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Caller {
    /// Returns the access token that it sends.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Returns the same caller on a network, with this address. Without it, the test itself is the caller.
    ///
    /// # Panics
    /// When the text is not an IP address.
    #[must_use]
    pub fn at(&self, address: &str) -> Self {
        Self { address: ClientAddress::Known(address.parse().expect("an address")), ..self.clone() }
    }

    /// Returns the same caller on a network, with an unknown address.
    #[must_use]
    pub fn at_unknown_address(&self) -> Self {
        Self { address: ClientAddress::Unknown, ..self.clone() }
    }

    /// Returns the same caller with this cookie.
    #[must_use]
    pub fn with_cookie(&self, name: &str, value: &str) -> Self {
        Self { cookie: Some(format!("{name}={value}")), ..self.clone() }
    }

    /// Returns a browser of this caller.
    pub fn browser(&self) -> Browser {
        Browser::new(self.clone())
    }

    /// Sends `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None, Body::empty()).await
    }

    /// Sends `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, None, Body::empty()).await
    }

    /// Sends `POST` with JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, "application/json", body.to_string()).await
    }

    /// Sends `PUT` with JSON.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, "application/json", body.to_string()).await
    }

    /// Sends `PATCH` with JSON.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, "application/json", body.to_string()).await
    }

    /// Sends the OAuth2 password form.
    pub async fn log_in(&self, username: &str, password: &str) -> Answer {
        self.post_form("/api/users/token", &[("username", username), ("password", password)]).await
    }

    /// Sends `POST` with a form.
    pub async fn post_form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.send("POST", path, "application/x-www-form-urlencoded", form(pairs)).await
    }

    /// Sends `PATCH` with a form that has a file in the field `file`.
    pub async fn upload(&self, path: &str, file_name: &str, bytes: &[u8]) -> Answer {
        let head = format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let body = [head.as_bytes(), bytes, b"\r\n--frontier--\r\n"].concat();
        self.send("PATCH", path, "multipart/form-data; boundary=frontier", body).await
    }

    /// Sends a body of any type.
    pub async fn send(&self, method: &str, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        self.request(method, path, Some(content_type), body.into()).await
    }

    async fn request(&self, method: &str, path: &str, content_type: Option<&str>, body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        self.send_request(request.body(body).expect("a request")).await
    }

    /// Sends a request as it is, without the caller's token.
    pub async fn send_request(&self, mut request: Request<Body>) -> Answer {
        match self.address {
            ClientAddress::Known(address) => {
                request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address, 4711)));
            }
            // A request may name its own peer.
            ClientAddress::Host if request.extensions().get::<ConnectInfo<SocketAddr>>().is_none() => {
                request.extensions_mut().insert(ClientAddress::Host);
            }
            ClientAddress::Host | ClientAddress::Unknown => {}
        }
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body in memory").to_bytes();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body: bytes.to_vec() };
        self.contract.check(&method, &path, &answer);
        answer
    }
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Asserts the status, and returns the JSON of the body, or null if it has none.
    ///
    /// # Panics
    /// If the status differs.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Asserts a problem of this status and code, and returns the JSON of the body.
    ///
    /// # Panics
    /// If the response differs.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.ok(status);
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body["type"], format!("/problems#{code}"), "{body}");
        body
    }

    /// Returns the value of a cookie that the response sets.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let set = self.headers.get_all(SET_COOKIE).iter().filter_map(|header| header.to_str().ok());
        let pair = set.filter_map(|text| text.split(';').next()?.split_once('=')).find(|(found, _)| *found == name);
        pair.map(|(_, value)| value.to_owned())
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
