//! A user who uploads pictures. Each request has a connection of its own, which costs little beside an upload.

use std::io;
use std::net::SocketAddr;

use bench_kit::account::{self, Tokens};
use bench_kit::broken::{Broken, Outcome};
use bench_kit::client::{Answer, ask_once, bearer, get, multipart, request};
use serde_json::Value;

#[derive(Clone)]
pub(crate) struct User {
    pub(crate) address: SocketAddr,
    id: String,
    token: String,
}

impl User {
    pub(crate) fn register(address: SocketAddr, number: usize) -> Outcome<Self> {
        let user = account::User(number);
        let registered = ask_once(address, &user.registration())?.expect(201)?.json()?;
        let token = Tokens::read(&ask_once(address, &user.login())?.expect(200)?)?.access;
        let id = registered["id"].as_str().ok_or_else(|| Broken(format!("a new user has no id: {registered}")))?;
        Ok(Self { address, id: id.to_owned(), token })
    }

    pub(crate) fn upload(&self, file: &[u8]) -> io::Result<Answer<'static>> {
        let (media_type, body) = multipart(file);
        let headers = [("content-type", media_type), ("authorization", &bearer(&self.token))];
        ask_once(self.address, &request(&format!("PATCH /api/users/{}/picture", self.id), &headers, &body))
    }

    pub(crate) fn profile(&self) -> Outcome<Value> {
        self.get(&format!("/api/users/{}", self.id))?.json()
    }

    pub(crate) fn get(&self, path: &str) -> io::Result<Answer<'static>> {
        ask_once(self.address, &get(path))
    }
}
