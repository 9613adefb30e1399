//! Accounts on a server: the requests that register users, log them in and use their tokens.

use serde_json::json;

use crate::broken::{Broken, Outcome};
use crate::client::{Answer, form, get_as, post_json};

/// A user by number. All names have the same length, so the answers have as well.
#[derive(Clone, Copy)]
pub struct User(pub usize);

impl User {
    pub fn name(self) -> String {
        format!("user-{:06}", self.0)
    }

    pub fn email(self) -> String {
        format!("{}@example.org", self.name())
    }

    pub fn password(self) -> String {
        format!("a password like any other {:06}", self.0)
    }

    pub fn registration(self) -> Vec<u8> {
        let body = json!({ "username": self.name(), "email": self.email(), "password": self.password() });
        post_json("/api/users", &body)
    }

    pub fn login(self) -> Vec<u8> {
        login(&self.email(), &self.password())
    }
}

pub fn login(email: &str, password: &str) -> Vec<u8> {
    form("/api/users/token", &login_form(email, password))
}

/// The OAuth2 form of a login.
pub fn login_form(email: &str, password: &str) -> String {
    format!("username={}&password={}", email.replace('@', "%40"), password.replace(' ', "+"))
}

pub fn refresh(token: &str) -> Vec<u8> {
    form("/api/users/token", &format!("grant_type=refresh_token&refresh_token={token}"))
}

pub fn me(token: &str) -> Vec<u8> {
    get_as(token, "/api/users/me")
}

/// The tokens of a login or a refresh.
#[derive(Clone)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    pub fn read(answer: &Answer<'_>) -> Outcome<Self> {
        let body = answer.json()?;
        let text = |name: &str| {
            body[name].as_str().map(str::to_owned).ok_or_else(|| Broken(format!("an answer with tokens has no {name}")))
        };
        Ok(Self { access: text("access_token")?, refresh: text("refresh_token")? })
    }
}
