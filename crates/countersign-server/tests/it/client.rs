//! An HTTP/1.1 client on a plain socket, so that tests can send malformed or slow requests.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::PASSWORD;
use crate::sandbox::{PATIENCE, Server};

/// One connection.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends raw bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a complete request; `Host` is `localhost` unless the headers set another.
    pub(crate) fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.push_str("Host: localhost\r\n");
        }
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        if !body.is_empty() {
            head.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
        }
        self.send(head + "\r\n" + body);
    }

    /// Waits for the head of the next response, which is all of a response to `HEAD`.
    pub(crate) fn head(&mut self) -> Answer {
        let status_line = self.line();
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status: {status_line:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else {
                assert_eq!(line, "", "the head broke off");
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Answer { status, headers, body: Vec::new() }
    }

    /// Waits for the next response.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.head();
        if answer.header("transfer-encoding") == Some("chunked") {
            loop {
                let size = usize::from_str_radix(&self.line(), 16).unwrap();
                answer.body.extend(self.bytes(size));
                assert_eq!(self.line(), "");
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = answer.header("content-length") {
            answer.body = self.bytes(length.parse().unwrap());
        }
        answer
    }

    /// Waits for `100 Continue` (RFC 9110, section 10.1.1), which shows that the request has reached its handler.
    pub(crate) fn is_asked_for_the_body(&mut self) {
        assert_eq!(self.answer().status, 100);
    }

    /// Waits for the server to close the connection without sending anything.
    pub(crate) fn is_ended(&mut self) {
        assert_eq!(self.everything(), "");
    }

    /// Reads until the server closes the connection.
    pub(crate) fn everything(&mut self) -> String {
        let mut rest = Vec::new();
        if let Err(error) = self.0.read_to_end(&mut rest) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
        }
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// The raw socket.
    pub(crate) fn socket(&self) -> &TcpStream {
        self.0.get_ref()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end_matches(['\r', '\n']).to_owned()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Returns the value of a header that occurs at most once.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values: Vec<&str> =
            self.headers.iter().filter(|(found, _)| found == name).map(|(_, value)| value.as_str()).collect();
        assert!(values.len() < 2, "{name} is there twice: {values:?}");
        values.first().copied()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Asserts the status and returns the JSON body, or null without a body.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Asserts a problem with this status and code and returns the JSON body.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.ok(status);
        // OAuth clients look for `error` only in plain JSON.
        let of_oauth = body.get("error").is_some();
        let content_type = if of_oauth { "application/json" } else { "application/problem+json" };
        assert_eq!(self.header("content-type"), Some(content_type), "{body}");
        assert_eq!((&body["code"], &body["status"]), (&json!(code), &json!(status)), "{body}");
        assert_eq!(body["type"], format!("/problems#{code}"), "{body}");
        body
    }

    #[track_caller]
    pub(crate) fn request_id(&self) -> &str {
        self.header("x-request-id").expect("every answer has an id")
    }
}

impl Server {
    /// Sends a request on a new connection.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut connection = Connection::open(self.address);
        connection.request(method, path, headers, body);
        connection.answer()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, &[("Content-Type", "application/json")], &body.to_string())
    }

    /// Registers a user whose address is `<name>@example.com`.
    pub(crate) fn register(&self, name: &str) -> Answer {
        let email = format!("{name}@example.com");
        self.post("/api/users", &json!({ "username": name, "email": email, "password": PASSWORD }))
    }

    pub(crate) fn log_in(&self, name: &str) -> Answer {
        self.request("POST", "/api/users/token", &[FORM], &login_form(name))
    }

    /// Logs in a registered user and returns the access token.
    pub(crate) fn token(&self, name: &str) -> String {
        self.log_in(name).ok(200)["access_token"].as_str().unwrap().to_owned()
    }

    /// Requests the current user with this token.
    pub(crate) fn me(&self, token: &str) -> Answer {
        self.request("GET", "/api/users/me", &[("Authorization", &format!("Bearer {token}"))], "")
    }
}

pub(crate) const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

pub(crate) fn login_form(name: &str) -> String {
    format!("username={name}%40example.com&password={PASSWORD}")
}
