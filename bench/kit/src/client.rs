//! HTTP/1.1 requests and answers in few instructions: the load generator shares the cores with the server, and what it takes for
//! itself makes all servers look alike.

use std::borrow::Cow;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::broken::{Outcome, While as _, broken};

/// Longer than the server lets any request take.
const ANSWER_MAX: Duration = Duration::from_mins(1);
/// The end of a chunked body (RFC 9112, section 7.1).
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// A request; `line` is its method and path.
pub fn request(line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{line} HTTP/1.1\r\nhost: localhost\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    if !line.starts_with("GET ") {
        text.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
    }
    [text.as_bytes(), b"\r\n", body].concat()
}

pub fn get(path: &str) -> Vec<u8> {
    request(&format!("GET {path}"), &[], &[])
}

pub fn get_as(token: &str, path: &str) -> Vec<u8> {
    request(&format!("GET {path}"), &[("authorization", &bearer(token))], &[])
}

pub fn form(path: &str, body: &str) -> Vec<u8> {
    request(&format!("POST {path}"), &[("content-type", "application/x-www-form-urlencoded")], body.as_bytes())
}

pub fn post_json(path: &str, body: &Value) -> Vec<u8> {
    request(&format!("POST {path}"), &[("content-type", "application/json")], body.to_string().as_bytes())
}

/// The value of an `Authorization` header.
pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A form with one file, and its media type.
pub fn multipart(file: &[u8]) -> (&'static str, Vec<u8>) {
    let head = "--frontier\r\ncontent-disposition: form-data; name=\"file\"; filename=\"me.jpg\"\r\n\
                content-type: image/jpeg\r\n\r\n";
    ("multipart/form-data; boundary=frontier", [head.as_bytes(), file, b"\r\n--frontier--\r\n"].concat())
}

pub struct Answer<'b> {
    pub status: u16,
    pub head: Cow<'b, [u8]>,
    pub body: Cow<'b, [u8]>,
}

impl Answer<'_> {
    pub fn json(&self) -> Outcome<Value> {
        serde_json::from_slice(&self.body).doing("reading an answer")
    }

    pub fn head(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.head)
    }

    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// All values of a header, whose name is in lower case.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let head = self.head();
        let lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
    }

    /// Refuses every other status.
    pub fn expect(self, status: u16) -> Outcome<Self> {
        if self.status == status {
            return Ok(self);
        }
        broken(format!("{} instead of {status}: {}", self.status, self.text()))
    }
}

/// A connection that is kept. Dropping it closes the socket.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects from 127.0.0.1.
    pub async fn open(server: SocketAddr) -> io::Result<Self> {
        Self::open_from(Ipv4Addr::LOCALHOST, server).await
    }

    /// Connects from an address of this machine, in 127.0.0.0/8.
    pub async fn open_from(source: Ipv4Addr, server: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if source != Ipv4Addr::LOCALHOST {
            socket.bind(SocketAddr::from((source, 0)))?;
        }
        let stream = timeout(ANSWER_MAX, socket.connect(server)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and waits for the answer, but not for ever.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        timeout(ANSWER_MAX, self.exchange(request)).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    /// The same without a time limit.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(whole) = Whole::find(&self.buffer)? {
                let (head, body) = self.buffer.split_at(whole.head);
                return Ok(Answer { status: whole.status, head: head.into(), body: body[4..].into() });
            }
        }
    }
}

/// One request over a connection of its own, without a runtime.
pub fn ask_once(server: SocketAddr, request: &[u8]) -> io::Result<Answer<'static>> {
    let mut stream = std::net::TcpStream::connect(server)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_nodelay(true)?;
    stream.write_all(request)?;
    let (mut answer, mut part) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let count = stream.read(&mut part)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&part[..count]);
        if let Some(whole) = Whole::find(&answer)? {
            let body = answer.split_off(whole.head + 4);
            answer.truncate(whole.head);
            return Ok(Answer { status: whole.status, head: answer.into(), body: body.into() });
        }
    }
}

/// A whole answer at the beginning of a buffer.
struct Whole {
    status: u16,
    /// The length of the head, without the empty line after it.
    head: usize,
}

impl Whole {
    /// `None` while bytes are missing.
    fn find(buffer: &[u8]) -> io::Result<Option<Self>> {
        let Some(length) = buffer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
        let (head, body) = (&buffer[..length], &buffer[length + 4..]);
        let is_whole = match content_length(head)? {
            Some(length) => body.len() >= length,
            None => !is_chunked(head) || body.ends_with(LAST_CHUNK),
        };
        let status = head.get(9..12).and_then(number).ok_or(io::ErrorKind::InvalidData)?;
        Ok(is_whole.then_some(Self { status: status as u16, head: length }))
    }
}

fn header<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)))?;
    Some(line[name.len()..].trim_ascii())
}

/// `None` for statuses without a body, and for chunked bodies.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_length_or_its_last_chunk_is_there() {
        let status = |text: &str| Whole::find(text.as_bytes()).expect("legal").map(|whole| whole.status);
        assert_eq!(status("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"), None);
        assert_eq!(status("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"), Some(200));
        assert_eq!(status("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n"), None);
        assert_eq!(status("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), Some(200));
        assert_eq!(status("HTTP/1.1 204 No Content\r\n\r\n"), Some(204));
        assert_eq!(status("HTTP/1.1 204 No Content\r\n"), None);
    }

    #[test]
    fn only_requests_that_may_have_a_body_say_how_long_it_is() {
        assert_eq!(get("/health"), b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let logout = request("POST /logout", &[("authorization", "Bearer t")], &[]);
        let expected =
            "POST /logout HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer t\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(logout, expected.as_bytes());
    }
}
