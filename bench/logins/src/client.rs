//! Decides what a client sends, and what it makes of the answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::broken::{Broken, Outcome, While as _};

/// Longer than the server lets any request take: whoever waits for that long will not be answered.
const ANSWER_MAX: Duration = Duration::from_mins(1);

/// An account on the server.
#[derive(Clone)]
pub(crate) struct User {
    number: usize,
}

impl User {
    pub(crate) fn numbered(number: usize) -> Self {
        Self { number }
    }

    fn email(&self) -> String {
        format!("user-{:04}@example.org", self.number)
    }

    fn password(&self) -> String {
        format!("a password like any other {:04}", self.number)
    }

    pub(crate) fn registration(&self) -> Request<Full<Bytes>> {
        let body = serde_json::json!({
            "username": format!("user-{:04}", self.number),
            "email": self.email(),
            "password": self.password(),
        });
        request(Method::POST, "/api/users", "application/json", body.to_string())
    }

    pub(crate) fn login(&self) -> Request<Full<Bytes>> {
        login(&self.email(), &self.password())
    }

    /// Wrong in its last letter.
    pub(crate) fn login_with_wrong_password(&self) -> Request<Full<Bytes>> {
        login(&self.email(), &format!("{}x", self.password().strip_suffix(char::is_alphanumeric).unwrap_or_default()))
    }

    /// An address of the same length that nobody has.
    pub(crate) fn login_with_unknown_address(&self) -> Request<Full<Bytes>> {
        login(&self.email().replace("user", "none"), &self.password())
    }
}

fn login(email: &str, password: &str) -> Request<Full<Bytes>> {
    let body = format!("username={}&password={}", email.replace('@', "%40"), password.replace(' ', "+"));
    request(Method::POST, "/api/users/token", "application/x-www-form-urlencoded", body)
}

pub(crate) fn me(token: &str) -> Request<Full<Bytes>> {
    let mut request = request(Method::GET, "/api/users/me", "", String::new());
    if let Ok(bearer) = format!("Bearer {token}").parse() {
        request.headers_mut().insert(AUTHORIZATION, bearer);
    }
    request.headers_mut().remove(CONTENT_TYPE);
    request
}

fn request(method: Method, path: &'static str, content_type: &'static str, body: String) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = method;
    *request.uri_mut() = hyper::Uri::from_static(path);
    request.headers_mut().insert(HOST, hyper::header::HeaderValue::from_static("localhost"));
    request.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(content_type));
    request
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Whether it says when to try again.
    pub(crate) has_retry_after: bool,
    body: Bytes,
}

impl Answer {
    pub(crate) fn token(&self) -> Outcome<String> {
        let body: Value = serde_json::from_slice(&self.body).doing("reading a token")?;
        let token = body["access_token"].as_str();
        token.map(str::to_owned).ok_or_else(|| Broken("an answer to a login has no access_token".to_owned()))
    }

    /// Refuses every status but this one.
    pub(crate) fn expect(self, status: StatusCode) -> Outcome<Self> {
        if self.status == status {
            return Ok(self);
        }
        Err(Broken(format!("{} instead of {status}: {}", self.status, String::from_utf8_lossy(&self.body))))
    }
}

/// A connection that is kept. Dropping it closes the socket.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    _connection: JoinSet<()>,
}

impl Client {
    /// Connects from 127.0.0.1.
    pub(crate) async fn connect(server: SocketAddr) -> Outcome<Self> {
        Self::connect_from(Ipv4Addr::LOCALHOST, server).await
    }

    /// Connects from an address of this machine, 127.0.0.0/8.
    pub(crate) async fn connect_from(source: Ipv4Addr, server: SocketAddr) -> Outcome<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((source, 0))).doing(source)?;
        let connecting = timeout(ANSWER_MAX, socket.connect(server)).await.doing("connecting")?;
        let stream = connecting.doing("connecting")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            // A failure reaches whoever sends.
            let _ = connection.await;
        });
        Ok(Self { sender, _connection: connections })
    }

    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Outcome<Answer> {
        timeout(ANSWER_MAX, async {
            self.sender.ready().await?;
            let (parts, body) = self.sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            let has_retry_after = parts.headers.contains_key(RETRY_AFTER);
            Ok(Answer { status: parts.status, has_retry_after, body })
        })
        .await
        .doing("waiting for an answer")?
    }
}
