//! Decides how requests are sent and answers read: as few instructions as possible, because the load generator runs on the
//! same cores as what it measures, and what it takes makes every server look alike.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::broken::{Broken, Outcome, While as _};

/// Longer than the server lets any request take.
const ANSWER_MAX: Duration = Duration::from_mins(1);

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
pub(crate) struct Answer<'b> {
    pub(crate) status: u16,
    pub(crate) head: &'b [u8],
    pub(crate) body: &'b [u8],
}

impl Answer<'_> {
    pub(crate) fn json(&self) -> Outcome<Value> {
        serde_json::from_slice(self.body).doing("reading an answer")
    }

    /// Refuses every status but this one.
    pub(crate) fn expect(self, status: u16) -> Outcome<Self> {
        if self.status == status {
            return Ok(self);
        }
        Err(Broken(format!("{} instead of {status}: {}", self.status, String::from_utf8_lossy(self.body))))
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// With a time limit.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        timeout(ANSWER_MAX, self.exchange(request)).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(head_length) = self.buffer.windows(4).position(|end| end == b"\r\n\r\n") else {
                continue;
            };
            let (head, body) = (&self.buffer[..head_length], &self.buffer[head_length + 4..]);
            let is_whole = match content_length(head)? {
                Some(length) => body.len() >= length,
                None => !is_chunked(head) || body.ends_with(LAST_CHUNK),
            };
            if !is_whole {
                continue;
            }
            let status = head.get(9..12).and_then(number).ok_or(io::ErrorKind::InvalidData)?;
            // Borrowed anew: the compiler does not see that the loop ends here.
            let (head, body) = (&self.buffer[..head_length], &self.buffer[head_length + 4..]);
            return Ok(Answer { status: status as u16, head, body });
        }
    }
}

/// What a body ends with whose length was not known before (RFC 9112, section 7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

fn header<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)))?;
    Some(line[name.len()..].trim_ascii())
}

/// `None` for the statuses that have no body, and for bodies in chunks.
fn content_length(head: &[u8]) -> io::Result<Option<usize>> {
    let Some(length) = header(head, b"content-length:") else { return Ok(None) };
    number(length).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn is_chunked(head: &[u8]) -> bool {
    header(head, b"transfer-encoding:").is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"))
}

fn number(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

pub(crate) fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n").into_bytes()
}

pub(crate) fn me(token: &str) -> Vec<u8> {
    get("/api/users/me", token)
}

pub(crate) fn log_out(token: &str) -> Vec<u8> {
    format!(
        "POST /api/users/logout HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\n\r\n"
    )
    .into_bytes()
}

pub(crate) fn refresh(token: &str) -> Vec<u8> {
    form("/api/users/token", &format!("grant_type=refresh_token&refresh_token={token}"))
}

pub(crate) fn form(path: &str, body: &str) -> Vec<u8> {
    post(path, "application/x-www-form-urlencoded", body)
}

fn post(path: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

pub(crate) fn post_json(path: &str, body: &Value) -> Vec<u8> {
    post(path, "application/json", &body.to_string())
}

/// An account on the server; all have names of the same length, so that the answers have, too.
#[derive(Clone, Copy)]
pub(crate) struct User(pub(crate) usize);

impl User {
    pub(crate) fn registration(self) -> Vec<u8> {
        let body = serde_json::json!({
            "username": format!("user-{:04}", self.0),
            "email": format!("user-{:04}@example.org", self.0),
            "password": self.password(),
        });
        post_json("/api/users", &body)
    }

    pub(crate) fn login(self) -> Vec<u8> {
        let password = self.password().replace(' ', "+");
        form("/api/users/token", &format!("username=user-{:04}%40example.org&password={password}", self.0))
    }

    fn password(self) -> String {
        format!("a password like any other {:04}", self.0)
    }
}

/// What a login or a refresh gives.
#[derive(Clone)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    pub(crate) fn read(answer: &Answer<'_>) -> Outcome<Self> {
        let body = answer.json()?;
        let text = |name: &str| {
            body[name].as_str().map(str::to_owned).ok_or_else(|| Broken(format!("an answer with tokens has no {name}")))
        };
        Ok(Self { access: text("access_token")?, refresh: text("refresh_token")? })
    }
}
