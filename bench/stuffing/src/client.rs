//! Decides what a client sends, and what it makes of the answer.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderValue, RETRY_AFTER, SET_COOKIE};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::broken::{Broken, Outcome, While as _};

/// Longer than the server lets any request take: whoever waits for that long will not be answered.
const ANSWER_MAX: Duration = Duration::from_mins(1);

/// The password of every account.
pub(crate) const PASSWORD: &str = "a password like any other";

pub(crate) fn email(account: usize) -> String {
    format!("{}@example.org", username(account))
}

pub(crate) fn username(account: usize) -> String {
    format!("user-{account:05}")
}

pub(crate) fn registration(account: usize) -> Request<Full<Bytes>> {
    let body = serde_json::json!({
        "username": username(account),
        "email": email(account),
        "password": PASSWORD,
    });
    request("/api/users", "application/json", body.to_string())
}

/// A login from this address, as a proxy passes it on.
pub(crate) fn login(account: usize, password: &str, address: Ipv4Addr) -> Request<Full<Bytes>> {
    let body = format!("username={}&password={}", email(account).replace('@', "%40"), password.replace(' ', "+"));
    let mut request = request("/api/users/token", "application/x-www-form-urlencoded", body);
    if let Ok(address) = HeaderValue::try_from(address.to_string()) {
        request.headers_mut().insert("x-forwarded-for", address);
    }
    request
}

/// The same on a device that has logged in before.
pub(crate) fn login_on_device(account: usize, address: Ipv4Addr, cookie: &HeaderValue) -> Request<Full<Bytes>> {
    let mut request = login(account, PASSWORD, address);
    request.headers_mut().insert(COOKIE, cookie.clone());
    request
}

fn request(path: &'static str, content_type: &'static str, body: String) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from_static(path);
    request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    request
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// Refuses every status but this one.
    pub(crate) fn expect(self, status: StatusCode) -> Outcome<Self> {
        if self.status == status {
            return Ok(self);
        }
        Err(Broken(format!("{} instead of {status}: {}", self.status, String::from_utf8_lossy(&self.body))))
    }

    /// Refuses one that says "later", but not when.
    pub(crate) fn is_complete(&self) -> Outcome<()> {
        let says_later = matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if says_later && !self.headers.contains_key(RETRY_AFTER) {
            return Err(Broken(format!("a {} says nothing of when to try again", self.status)));
        }
        Ok(())
    }

    /// The cookie of the device, as it is sent back.
    pub(crate) fn device(&self) -> Outcome<HeaderValue> {
        let mut cookies = self.headers.get_all(SET_COOKIE).iter().filter_map(|header| header.to_str().ok());
        let pair = cookies.find_map(|text| text.split(';').next().filter(|pair| pair.starts_with("device=")));
        let pair = pair.ok_or_else(|| Broken("a login sets no cookie for its device".to_owned()))?;
        HeaderValue::try_from(pair).doing("reading a cookie")
    }
}

/// A connection that is kept. Dropping it closes the socket.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    _connection: JoinSet<()>,
}

impl Client {
    pub(crate) async fn connect(server: SocketAddr) -> Outcome<Self> {
        let stream = timeout(ANSWER_MAX, TcpStream::connect(server)).await.doing("connecting")?.doing("connecting")?;
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
            Ok(Answer { status: parts.status, headers: parts.headers, body })
        })
        .await
        .doing("waiting for an answer")?
    }
}
