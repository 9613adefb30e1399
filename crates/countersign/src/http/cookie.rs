//! Reading and setting cookies (RFC 6265). Cookies are set only in response to requests from the site itself: setting one needs a
//! [`Jar`], which is made from the request, so no handler can forget the check.

use std::convert::Infallible;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};

use super::site::{RequestHost, Sender};
use crate::Accounts;
use crate::config::Config;
use crate::model::Stay;

/// Browsers accept this prefix only from a secure origin, and only for that host.
const PREFIX: &str = "__Host-";
const SESSION: &str = "session";
const DEVICE: &str = "device";
/// Lifetime of the device cookie in the browser.
const DEVICE_AGE: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Whether the site sets and reads secure cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Sent back only over encrypted connections.
    Secure,
    /// Also sent back over plain HTTP; only on loopback, where some browsers do not send secure cookies back.
    Local,
}

impl Kind {
    /// Returns the kind for a request. Wrong or missing settings must not expose cookies on a network, so the request counts too: a
    /// host that is missing or not loopback always gets secure cookies.
    fn of(config: &Config, uri: &Uri, headers: &HeaderMap) -> Self {
        let is_local = RequestHost::of(uri, headers).is_ok_and(|host| host.is_some_and(RequestHost::is_loopback));
        let site = &config.public_url;
        if !site.is_https() && site.is_loopback() && is_local { Self::Local } else { Self::Secure }
    }

    /// The prefix of the cookie's name.
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

/// The cookies of the browser that sent a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jar {
    kind: Kind,
    sender: Sender,
}

impl Jar {
    pub(crate) fn of(config: &Config, uri: &Uri, headers: &HeaderMap) -> Self {
        Self { kind: Kind::of(config, uri, headers), sender: Sender::of(config, uri, headers) }
    }

    /// The kind of cookies that the site sets and reads.
    pub(crate) fn kind(self) -> Kind {
        self.kind
    }

    /// Returns `Set-Cookie` with this lifetime in seconds, or for as long as the browser is open (RFC 6265, section 5.3). Returns
    /// `None` if another site caused the request: `SameSite` restricts sending, not setting, so a form on another site could
    /// otherwise replace the visitor's cookie with its own.
    fn put(self, name: &str, value: &str, seconds: Option<u64>) -> Option<HeaderValue> {
        if self.sender == Sender::Other {
            return None;
        }
        let (prefix, secure) = (self.kind.prefix(), self.kind.attribute());
        let age = seconds.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        let text = format!("{prefix}{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}");
        Some(HeaderValue::try_from(text).expect("a cookie is letters, digits, hyphens and underscores"))
    }

    /// Returns the values of this name in order, across all `Cookie` lines (RFC 9113, section 8.2.3).
    ///
    /// Other programs on the same host name may set cookies of any content, which must not break ours: the header is split as
    /// bytes, and other cookies are skipped unparsed.
    fn find<'h>(self, headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
        let prefix = self.kind.prefix().as_bytes();
        let pairs = headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        pairs.filter_map(move |pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let found = without_blanks(&pair[..at]).strip_prefix(prefix)?;
            let value = unquoted(without_blanks(&pair[at + 1..]));
            if found == name.as_bytes() { str::from_utf8(value).ok() } else { None }
        })
    }
}

impl<S> FromRequestParts<S> for Jar
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(Accounts::from_ref(state).config(), &parts.uri, &parts.headers))
    }
}

/// Trims spaces and tabs. Trimming other whitespace would accept names that no browser has checked for the prefix.
fn without_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Removes the quotes that clients following RFC 2109 add to unquoted values; Java's do.
fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// Returns `Set-Cookie` for a value that does not identify the visitor, such as a preference or a notice. An age of 0 deletes it.
///
/// # Panics
/// When the value is not made of letters, digits and hyphens.
pub(crate) fn set_plain(jar: Jar, name: &str, value: &str, seconds: u32) -> Option<HeaderValue> {
    jar.put(name, value, Some(seconds.into()))
}

/// Returns the values of a plain cookie; the first valid one counts.
pub(crate) fn get_plain<'h>(jar: Jar, headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    jar.find(headers, name)
}

/// Returns `Set-Cookie` for a session; it lasts for the maximum age of sessions, or while the browser is open.
pub(crate) fn set(jar: Jar, config: &Config, cookie: &SecretString, stay: Stay) -> Option<HeaderValue> {
    let age = match stay {
        Stay::Kept => Some(config.session.ttl),
        Stay::Brief => None,
    };
    secret(jar, SESSION, cookie.expose_secret(), age)
}

/// Returns `Set-Cookie` that makes this device a known one.
pub(crate) fn set_device(jar: Jar, cookie: &SecretString) -> Option<HeaderValue> {
    secret(jar, DEVICE, cookie.expose_secret(), Some(DEVICE_AGE))
}

/// Returns `Set-Cookie` that deletes the session cookie.
pub(crate) fn clear(jar: Jar) -> Option<HeaderValue> {
    secret(jar, SESSION, "", Some(SignedDuration::ZERO))
}

fn secret(jar: Jar, name: &str, value: &str, age: Option<SignedDuration>) -> Option<HeaderValue> {
    let mut header = jar.put(name, value, age.map(|age| age.unsigned_abs().as_secs()))?;
    header.set_sensitive(true);
    Some(header)
}

/// Returns the session cookies: one, unless another program on this host has set more of that name.
pub(crate) fn get(jar: Jar, headers: &HeaderMap) -> impl Iterator<Item = &str> {
    jar.find(headers, SESSION)
}

/// Returns the device cookies: one for each user who has logged in on this device, and any that other programs have set.
pub(crate) fn get_devices(jar: Jar, headers: &HeaderMap) -> impl Iterator<Item = &str> {
    jar.find(headers, DEVICE)
}

#[cfg(test)]
mod tests {
    use axum::http::header::HOST;

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
            // The request's host counts, not only the configured one.
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
            let jar = Jar::of(&config, &Uri::from_static("/"), &headers);
            let cookie = set(jar, &config, &"x".to_owned().into(), Stay::Kept).unwrap();
            assert_eq!(cookie.to_str().unwrap(), expected, "{url} {hosts:?}");
            // Cookies of the other kind are not read.
            let read = if expected == secure { "secure" } else { "plain" };
            assert!(get(jar, &headers).eq([read]), "{url} {hosts:?}");
        }
        let jar = |kind| Jar { kind, sender: Sender::Own };
        let device = set_device(jar(Kind::Secure), &"x".to_owned().into()).unwrap();
        let expected = "__Host-device=x; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(device.to_str().unwrap(), expected);
        let brief = set(jar(Kind::Secure), &config("https://a.example"), &"x".to_owned().into(), Stay::Brief).unwrap();
        assert_eq!(brief.to_str().unwrap(), "__Host-session=x; Path=/; HttpOnly; SameSite=Lax; Secure");
        let cleared = clear(jar(Kind::Local)).unwrap();
        assert_eq!(cleared.to_str().unwrap(), "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn another_site_has_no_cookie_set() {
        let config = config("https://a.example");
        let jar = Jar { kind: Kind::Secure, sender: Sender::Other };
        let value = SecretString::from("x");
        let set = [
            set(jar, &config, &value, Stay::Kept),
            set_device(jar, &value),
            clear(jar),
            set_plain(jar, "theme", "dark", 1),
        ];
        assert_eq!(set, [None, None, None, None]);
    }
}
