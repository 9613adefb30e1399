//! How the cookies of a browser are set and read, and from where a request with that of a session is taken (RFC 6265;
//! Fetch Metadata).

use std::convert::Infallible;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

use super::problem::{CROSS_SITE, Problem};
use crate::Accounts;
use crate::config::{Config, is_loopback_authority};
use crate::model::Stay;

/// A name that begins so can be set by a secure origin alone, and for itself alone.
const PREFIX: &str = "__Host-";
const SESSION: &str = "session";
const DEVICE: &str = "device";
/// How long a browser keeps the cookie of its device.
const DEVICE_AGE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// What kind of cookies a browser is given, and taken from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sent back over encrypted connections alone.
    Secure,
    /// Sent back over plain HTTP too: on loopback, where some browsers would not send a secure cookie back.
    Local,
}

impl Kind {
    /// Settings that are wrong or were forgotten must not make cookies readable on a network: so the request decides too. Whatever
    /// is configured, a host that is not loopback, or none, gets secure cookies.
    pub(crate) fn of(config: &Config, headers: &HeaderMap) -> Self {
        let mut hosts = headers.get_all(HOST).iter();
        let asked_by = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().ok(),
            _ => None,
        };
        let site = &config.public_url;
        if !site.is_https() && site.is_loopback() && asked_by.is_some_and(is_loopback_authority) {
            Self::Local
        } else {
            Self::Secure
        }
    }

    /// What comes before a cookie's name.
    fn prefix(self) -> &'static str {
        match self {
            Self::Secure => PREFIX,
            Self::Local => "",
        }
    }

    fn attribute(self) -> &'static str {
        match self {
            Self::Secure => "; Secure",
            Self::Local => "",
        }
    }
}

impl<S> FromRequestParts<S> for Kind
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(Accounts::from_ref(state).config(), &parts.headers))
    }
}

/// The values that came under this name, the first one first, in however many lines (RFC 9113, section 8.2.3).
///
/// A host name is shared with whatever else runs there, so nothing about the other cookies may matter: the header is split as
/// bytes, and of those no more is asked than where they end.
fn find<'h>(config: &Config, headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    let prefix = Kind::of(config, headers).prefix().as_bytes();
    let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let found = without_blanks(&pair[..at]).strip_prefix(prefix)?;
        if found == name.as_bytes() { str::from_utf8(unquoted(without_blanks(&pair[at + 1..]))).ok() } else { None }
    })
}

/// Without spaces and tabs around it. With anything more that passes for a blank taken away, names would be ours whose prefix
/// no browser has looked at.
fn without_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Clients that follow RFC 2109 quote what they were given without quotes; Java's do.
fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// `Set-Cookie` for what says nothing of who somebody is: a choice of theirs, or what was done. With an age of 0 it is taken
/// away.
///
/// # Panics
/// When the value is not made of letters, digits and hyphens.
pub(crate) fn set_plain(kind: Kind, name: &str, value: &str, seconds: u32) -> HeaderValue {
    let (prefix, secure) = (kind.prefix(), kind.attribute());
    let text = format!("{prefix}{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).expect("letters, digits and hyphens")
}

/// What such cookies of this name say; the first that makes sense is the one that counts.
pub(crate) fn get_plain<'h>(config: &Config, headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    find(config, headers, name)
}

/// `Set-Cookie` for a session; it lasts as long as one can, or while the browser is open.
pub(crate) fn set(kind: Kind, config: &Config, cookie: &SecretString, stay: Stay) -> HeaderValue {
    let age = match stay {
        Stay::Kept => Some(config.session.ttl),
        Stay::Brief => None,
    };
    header(kind, SESSION, cookie.expose_secret(), age)
}

/// `Set-Cookie` by which a device is known from now on.
pub(crate) fn set_device(kind: Kind, cookie: &SecretString) -> HeaderValue {
    header(kind, DEVICE, cookie.expose_secret(), Some(DEVICE_AGE))
}

/// `Set-Cookie` that takes it away.
pub(crate) fn clear(kind: Kind) -> HeaderValue {
    header(kind, SESSION, "", Some(SignedDuration::ZERO))
}

/// A cookie without an age is one for as long as the browser is open (RFC 6265, section 5.3).
fn header(kind: Kind, name: &str, value: &str, age: Option<SignedDuration>) -> HeaderValue {
    let (prefix, secure) = (kind.prefix(), kind.attribute());
    let age = age.map(|age| format!("; Max-Age={}", age.as_secs())).unwrap_or_default();
    let text = format!("{prefix}{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}");
    let mut header = HeaderValue::try_from(text).expect("a cookie is base64");
    header.set_sensitive(true);
    header
}

/// The session cookies: one, unless others have set some of this name, too.
pub(crate) fn get<'h>(config: &Config, headers: &'h HeaderMap) -> impl Iterator<Item = &'h str> {
    find(config, headers, SESSION)
}

/// The cookie of the device; of several the first that is genuine.
pub(crate) fn get_device(accounts: &Accounts, headers: &HeaderMap) -> Option<SecretString> {
    let mut found = find(accounts.config(), headers, DEVICE).map(SecretString::from);
    let first = found.next()?;
    match found.next() {
        None => Some(first),
        Some(second) => [first, second].into_iter().chain(found).find(|cookie| accounts.is_device_cookie(cookie)),
    }
}

/// Refuses what another site makes a browser send. Programs that are no browsers send none of the headers that tell.
pub(crate) fn refuse_other_sites(config: &Config, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|header| header.to_str().unwrap_or("unreadable"));
    let own = match text("sec-fetch-site") {
        Some("same-origin" | "none") => true,
        // Following a link here changes nothing.
        Some(_) => method.is_safe() && text("sec-fetch-mode") == Some("navigate"),
        None => match text(ORIGIN.as_str()) {
            None => true,
            Some(_) if method.is_safe() => true,
            Some(origin) => origin == config.public_url.as_str() || is_host(origin, headers),
        },
    };
    if own { Ok(()) } else { Err(Problem::new(&CROSS_SITE)) }
}

/// Whether the origin is the host that the request was sent to.
fn is_host(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    host.is_some() && origin.split_once("://").map(|(_, authority)| authority) == host
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::generate_secret_key;

    fn config(public_url: &str) -> Config {
        Config::new(generate_secret_key(), public_url.parse().unwrap())
    }

    #[test]
    fn a_cookie_is_secure_everywhere_but_on_loopback() {
        let secure = "__Host-session=x; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax; Secure";
        let local = "session=x; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax";
        for (url, hosts, expected) in [
            ("https://a.example", vec!["a.example"], secure),
            ("https://a.example", vec!["127.0.0.1:8000"], secure),
            ("http://a.example", vec!["a.example"], secure),
            ("http://a.example", vec!["localhost"], secure),
            ("https://localhost", vec!["localhost"], secure),
            ("http://localhost:8000", vec!["localhost:8000"], local),
            ("http://127.0.0.1:8000", vec!["127.0.0.1:8000"], local),
            ("http://127.0.0.1:8000", vec!["LOCALHOST:9000"], local),
            ("http://[::1]:8000", vec!["[::1]:8000"], local),
            // What is configured is not what was asked for.
            ("http://localhost:8000", vec!["a.example"], secure),
            ("http://localhost:8000", vec!["nas:8000"], secure),
            ("http://localhost:8000", vec!["192.168.0.2:8000"], secure),
            ("http://localhost:8000", vec!["localhost.example"], secure),
            ("http://localhost:8000", vec!["localhost:8000@a.example"], secure),
            ("http://localhost:8000", vec!["localhost", "a.example"], secure),
            ("http://localhost:8000", vec![], secure),
        ] {
            let config = config(url);
            let mut headers = HeaderMap::new();
            for host in &hosts {
                headers.append(HOST, host.parse().unwrap());
            }
            for cookie in ["session=plain", "__Host-session=secure"] {
                headers.append(COOKIE, cookie.parse().unwrap());
            }
            let kind = Kind::of(&config, &headers);
            assert_eq!(
                set(kind, &config, &"x".to_owned().into(), Stay::Kept).to_str().unwrap(),
                expected,
                "{url} {hosts:?}"
            );
            // Nor is the other kind read.
            let read = if expected == secure { "secure" } else { "plain" };
            assert!(get(&config, &headers).eq([read]), "{url} {hosts:?}");
        }
        let device = set_device(Kind::Secure, &"x".to_owned().into());
        let expected = "__Host-device=x; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(device.to_str().unwrap(), expected);
        let brief = set(Kind::Secure, &config("https://a.example"), &"x".to_owned().into(), Stay::Brief);
        assert_eq!(brief.to_str().unwrap(), "__Host-session=x; Path=/; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(clear(Kind::Local).to_str().unwrap(), "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn requests_of_other_sites_are_refused() {
        let config = config("https://a.example");
        for (method, headers, own) in [
            ("POST", vec![], true),
            ("POST", vec![("sec-fetch-site", "same-origin")], true),
            ("POST", vec![("sec-fetch-site", "none")], true),
            ("POST", vec![("sec-fetch-site", "same-site")], false),
            ("POST", vec![("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], false),
            ("DELETE", vec![("sec-fetch-site", "cross-site")], false),
            ("GET", vec![("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], true),
            ("GET", vec![("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")], false),
            ("POST", vec![("origin", "https://a.example")], true),
            ("POST", vec![("origin", "http://b.example:81"), ("host", "b.example:81")], true),
            ("POST", vec![("origin", "https://evil.example"), ("host", "a.example")], false),
            ("POST", vec![("origin", "null")], false),
            ("POST", vec![("sec-fetch-site", "cross-site"), ("origin", "https://a.example")], false),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.insert(*name, value.parse().unwrap());
            }
            let method = method.parse().unwrap();
            assert_eq!(refuse_other_sites(&config, &method, &map).is_ok(), own, "{method} {headers:?}");
        }
    }
}
