//! Decides how requests are sent and answers read: one connection each, which is what an upload costs anyway.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use crate::broken::{Broken, Outcome};

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Outcome<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// Somebody with an account.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) address: SocketAddr,
    pub(crate) id: String,
    token: String,
}

pub(crate) fn send(address: SocketAddr, head: &str, headers: &[(&str, &str)], body: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut request = format!("{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(request.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let invalid = || std::io::Error::other("no answer");
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or_else(invalid)?;
    let status = answer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|s| s.parse().ok());
    Ok(Answer { status: status.ok_or_else(invalid)?, body: answer.split_off(end + 4) })
}

pub(crate) fn get(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    send(address, &format!("GET {path}"), &[], &[])
}

impl User {
    pub(crate) fn register(address: SocketAddr, name: &str) -> Outcome<Self> {
        let email = format!("{name}@example.com");
        let password = "correct horse battery staple";
        let body = json!({ "username": name, "email": email, "password": password }).to_string();
        let json = [("Content-Type", "application/json")];
        let registered = send(address, "POST /api/users", &json, body.as_bytes())?;
        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let body = format!("username={name}%40example.com&password=correct+horse+battery+staple");
        let login = send(address, "POST /api/users/token", &form, body.as_bytes())?.json()?;
        match (registered.json()?["id"].as_str(), login["access_token"].as_str()) {
            (Some(id), Some(token)) => Ok(Self { address, id: id.to_owned(), token: token.to_owned() }),
            _ => Err(Broken(format!("{name} cannot register: {login}"))),
        }
    }

    pub(crate) fn upload(&self, bytes: &[u8]) -> std::io::Result<Answer> {
        let head = "--frontier\r\nContent-Disposition: form-data; name=\"file\"; filename=\"me.jpg\"\r\n\r\n";
        let body = [head.as_bytes(), bytes, b"\r\n--frontier--\r\n"].concat();
        let authorization = format!("Bearer {}", self.token);
        let headers =
            [("Content-Type", "multipart/form-data; boundary=frontier"), ("Authorization", authorization.as_str())];
        send(self.address, &format!("PATCH /api/users/{}/picture", self.id), &headers, &body)
    }
}
