//! Decides who takes part, and how each is spoken to: ours and most peers by one contract, better-auth by its own.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::broken::{Broken, Outcome};
use crate::http::{Answer, form, post_json};

/// What ours is called in tables.
pub(crate) const OURS: &str = "blog";
/// Peers as they are known to this program, in the order of the tables.
const BY_CONTRACT: [&str; 3] = ["fastapi", "axum-usual", "axum-argon2-rust"];
const BETTER_AUTH: &str = "better-auth";

/// How a server wants to be spoken to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Ours,
    Contract,
    BetterAuth,
}

pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) dialect: Dialect,
    /// What is started: the program, or a peer's `serve`.
    pub(crate) program: PathBuf,
}

impl Contestant {
    pub(crate) fn ours(program: &Path) -> Outcome<Self> {
        Ok(Self { name: OURS.to_owned(), dialect: Dialect::Ours, program: found(program)? })
    }

    pub(crate) fn peer(folder: &Path, name: &str) -> Outcome<Self> {
        let dialect = match name {
            BETTER_AUTH => Dialect::BetterAuth,
            _ if BY_CONTRACT.contains(&name) => Dialect::Contract,
            _ => return Err(Broken(format!("{name} is not the name of a peer: {}", known().join(", ")))),
        };
        Ok(Self { name: name.to_owned(), dialect, program: found(&folder.join(name).join("serve"))? })
    }

    /// Whether it has posts, pictures and PostgreSQL.
    pub(crate) fn has_the_contract(&self) -> bool {
        self.dialect != Dialect::BetterAuth
    }

    pub(crate) fn registration(&self, user: User) -> Vec<u8> {
        let (email, password) = (user.email(), user.password());
        match self.dialect {
            Dialect::BetterAuth => post_json(
                "/api/auth/sign-up/email",
                &json!({ "name": user.name(), "email": email, "password": password }),
            ),
            Dialect::Ours | Dialect::Contract => {
                post_json("/api/users", &json!({ "username": user.name(), "email": email, "password": password }))
            }
        }
    }

    /// The status of an answer to [`Contestant::registration`].
    pub(crate) fn registered(&self) -> u16 {
        if self.dialect == Dialect::BetterAuth { 200 } else { 201 }
    }

    pub(crate) fn login(&self, user: User) -> Vec<u8> {
        match self.dialect {
            Dialect::BetterAuth => {
                post_json("/api/auth/sign-in/email", &json!({ "email": user.email(), "password": user.password() }))
            }
            Dialect::Ours | Dialect::Contract => login(&user.email(), &user.password()),
        }
    }

    /// Where one reads one's own account.
    pub(crate) fn me(&self) -> &'static str {
        if self.dialect == Dialect::BetterAuth { "/api/auth/get-session" } else { "/api/users/me" }
    }

    /// What an answer to a login gives.
    pub(crate) fn session(&self, answer: &Answer<'_>) -> Outcome<Session> {
        if self.dialect == Dialect::BetterAuth {
            let head = String::from_utf8_lossy(answer.head);
            let cookies = head.lines().filter_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("set-cookie").then(|| value.split(';').next().unwrap_or_default())
            });
            let cookies: Vec<&str> = cookies.collect();
            if cookies.is_empty() {
                return Err(Broken("an answer to a login sets no cookie".to_owned()));
            }
            return Ok(Session { header: format!("cookie: {}", cookies.join("; ")), refresh: None });
        }
        let body = answer.json()?;
        let token = body["access_token"].as_str();
        let token = token.ok_or_else(|| Broken("an answer to a login has no access_token".to_owned()))?;
        let refresh = body["refresh_token"].as_str().map(str::to_owned);
        Ok(Session { header: format!("authorization: Bearer {token}"), refresh })
    }
}

/// Every peer there is to name.
pub(crate) fn known() -> Vec<&'static str> {
    let [fastapi, usual, other] = BY_CONTRACT;
    vec![fastapi, BETTER_AUTH, usual, other]
}

fn found(program: &Path) -> Outcome<PathBuf> {
    fs::canonicalize(program).map_err(|error| Broken(format!("{}: {error}", program.display())))
}

/// What shows that somebody has logged in.
#[derive(Clone)]
pub(crate) struct Session {
    header: String,
    pub(crate) refresh: Option<String>,
}

impl Session {
    /// The access token, where there is one.
    pub(crate) fn token(&self) -> &str {
        self.header.strip_prefix("authorization: Bearer ").unwrap_or_default()
    }

    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{}\r\n\r\n", self.header).into_bytes()
    }

    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Vec<u8> {
        self.send("POST", path, "application/json", body.to_string().as_bytes())
    }

    pub(crate) fn send(&self, method: &str, path: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n",
            self.header
        );
        [head.as_bytes(), body].concat()
    }
}

/// An OAuth2 form.
pub(crate) fn login(email: &str, password: &str) -> Vec<u8> {
    let body = format!("username={}&password={}", email.replace('@', "%40"), password.replace(' ', "+"));
    form("/api/users/token", &body)
}

pub(crate) fn anonymous(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes()
}

/// Somebody with an account; all have names of the same length, so that the answers have, too.
#[derive(Clone, Copy)]
pub(crate) struct User(pub(crate) usize);

impl User {
    fn name(self) -> String {
        format!("user-{:06}", self.0)
    }

    pub(crate) fn email(self) -> String {
        format!("user-{:06}@example.org", self.0)
    }

    pub(crate) fn password(self) -> String {
        format!("a password like any other {:06}", self.0)
    }
}
