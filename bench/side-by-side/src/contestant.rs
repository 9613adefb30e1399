//! The contestants, and the requests that each understands: ours and most peers share one contract, better-auth has its own.

use std::fs;
use std::path::{Path, PathBuf};

use bench_kit::account::User;
use bench_kit::broken::{Broken, Outcome, broken};
use bench_kit::client::{Answer, bearer, post_json, request};
use serde_json::{Value, json};

/// The name of ours in tables.
pub(crate) const OURS: &str = "blog";
/// The peers with our contract, in the order of the tables.
const BY_CONTRACT: [&str; 3] = ["fastapi", "axum-usual", "axum-argon2-rust"];
const BETTER_AUTH: &str = "better-auth";

/// The contract of a server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Ours,
    Contract,
    BetterAuth,
}

pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) dialect: Dialect,
    /// The program of ours, or a peer's `serve`.
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
            _ => return broken(format!("{name} is not the name of a peer: {}", known().join(", "))),
        };
        Ok(Self { name: name.to_owned(), dialect, program: found(&folder.join(name).join("serve"))? })
    }

    /// Whether it has posts, pictures and PostgreSQL.
    pub(crate) fn has_the_contract(&self) -> bool {
        self.dialect != Dialect::BetterAuth
    }

    pub(crate) fn registration(&self, user: User) -> Vec<u8> {
        match self.dialect {
            Dialect::BetterAuth => post_json(
                "/api/auth/sign-up/email",
                &json!({ "name": user.name(), "email": user.email(), "password": user.password() }),
            ),
            Dialect::Ours | Dialect::Contract => user.registration(),
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
            Dialect::Ours | Dialect::Contract => user.login(),
        }
    }

    /// The path of the current user's account.
    pub(crate) fn me(&self) -> &'static str {
        if self.dialect == Dialect::BetterAuth { "/api/auth/get-session" } else { "/api/users/me" }
    }

    /// The session of an answer to a login.
    pub(crate) fn session(&self, answer: &Answer<'_>) -> Outcome<Session> {
        if self.dialect == Dialect::BetterAuth {
            let cookies = answer.headers("set-cookie");
            let pairs: Vec<&str> = cookies.iter().filter_map(|cookie| cookie.split(';').next()).collect();
            if pairs.is_empty() {
                return broken("an answer to a login sets no cookie");
            }
            return Ok(Session { header: "cookie", value: pairs.join("; "), refresh: None });
        }
        let body = answer.json()?;
        let token = body["access_token"].as_str();
        let token = token.ok_or_else(|| Broken("an answer to a login has no access_token".to_owned()))?;
        let refresh = body["refresh_token"].as_str().map(str::to_owned);
        Ok(Session { header: "authorization", value: bearer(token), refresh })
    }
}

/// The names of all peers.
pub(crate) fn known() -> Vec<&'static str> {
    let [fastapi, usual, other] = BY_CONTRACT;
    vec![fastapi, BETTER_AUTH, usual, other]
}

fn found(program: &Path) -> Outcome<PathBuf> {
    fs::canonicalize(program).map_err(|error| Broken(format!("{}: {error}", program.display())))
}

/// The header that proves a login.
#[derive(Clone)]
pub(crate) struct Session {
    header: &'static str,
    value: String,
    pub(crate) refresh: Option<String>,
}

impl Session {
    /// The access token, if there is one.
    pub(crate) fn token(&self) -> &str {
        self.value.strip_prefix("Bearer ").unwrap_or_default()
    }

    pub(crate) fn get(&self, path: &str) -> Vec<u8> {
        request(&format!("GET {path}"), &[(self.header, &self.value)], &[])
    }

    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Vec<u8> {
        self.send(&format!("POST {path}"), "application/json", body.to_string().as_bytes())
    }

    /// A request with a body; `line` is its method and path.
    pub(crate) fn send(&self, line: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
        request(line, &[(self.header, &self.value), ("content-type", content_type)], body)
    }
}
