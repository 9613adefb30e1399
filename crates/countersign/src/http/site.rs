//! The host that a request names, and the site that caused it (RFC 9110, section 7.2; Fetch Metadata; RFC 6454). Separate from the
//! cookies, because everything that trusts a browser must read these the same way.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{HOST, ORIGIN, UPGRADE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};

use super::problem::{CROSS_SITE, Problem};
use crate::Accounts;
use crate::config::{Config, is_loopback_authority};

/// The host that a request names, with the port if given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHost<'r>(&'r str);

/// A request names more than one host. A proxy in front may have used another one than this server would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request names more than one host")]
pub struct ContradictoryHosts;

impl<'r> RequestHost<'r> {
    /// Returns the host of a request; `None` if it names none. HTTP/2 has it in the URI (RFC 9113, section 8.3.1), HTTP/1.1 in a
    /// header; a request may have both if they are equal.
    ///
    /// # Errors
    /// If the request has several hosts, or one that is not text.
    pub fn of(uri: &'r Uri, headers: &'r HeaderMap) -> Result<Option<Self>, ContradictoryHosts> {
        let mut lines = headers.get_all(HOST).iter();
        let line = match (lines.next(), lines.next()) {
            (line, None) => line.map(|line| line.to_str()).transpose().map_err(|_| ContradictoryHosts)?,
            (_, Some(_)) => return Err(ContradictoryHosts),
        };
        match (uri.authority().map(axum::http::uri::Authority::as_str), line) {
            (Some(address), Some(line)) if !address.eq_ignore_ascii_case(line) => Err(ContradictoryHosts),
            (address, line) => Ok(address.or(line).map(Self)),
        }
    }

    /// Whether it is the client's own machine.
    pub fn is_loopback(self) -> bool {
        is_loopback_authority(self.0)
    }

    /// Whether it is the host of this origin.
    fn has_origin(self, origin: &str) -> bool {
        origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(self.0))
    }
}

/// The site that caused a browser to send a request. Programs other than browsers send none of the headers that tell, and count as
/// our own site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Own,
    Other,
}

impl Sender {
    pub(super) fn of(config: &Config, uri: &Uri, headers: &HeaderMap) -> Self {
        match (text(headers, "sec-fetch-site"), origin(config, uri, headers)) {
            (Some("same-origin" | "none"), _) | (None, None | Some(Self::Own)) => Self::Own,
            (Some(_), _) | (None, Some(Self::Other)) => Self::Other,
        }
    }
}

/// A request from our own pages, or from a program other than a browser. Requests that another site caused are rejected.
pub(super) struct OwnSite;

impl<S> FromRequestParts<S> for OwnSite
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        refuse_other_sites(Accounts::from_ref(state).config(), parts)?;
        Ok(Self)
    }
}

/// Rejects requests that another site caused, except for links that a user follows.
pub(crate) fn refuse_other_sites(config: &Config, parts: &Parts) -> Result<(), Problem> {
    let Parts { method, uri, headers, .. } = parts;
    let origin = origin(config, uri, headers);
    let own = match Sender::of(config, uri, headers) {
        // Not every browser sends Fetch Metadata with a WebSocket handshake, but all send `Origin`.
        Sender::Own => !(is_upgrade(method, headers) && origin == Some(Sender::Other)),
        // Following a link changes nothing, and sends no origin.
        Sender::Other => {
            let is_link = method.is_safe() && text(headers, "sec-fetch-mode") == Some("navigate");
            is_link && origin.is_none() && !is_upgrade(method, headers)
        }
    };
    if own { Ok(()) } else { Err(Problem::new(&CROSS_SITE)) }
}

/// Returns the site that the `Origin` header names. `null` is an opaque origin and counts as another site.
fn origin(config: &Config, uri: &Uri, headers: &HeaderMap) -> Option<Sender> {
    let origin = text(headers, ORIGIN.as_str())?;
    let asked = RequestHost::of(uri, headers).ok().flatten();
    let own = origin == config.public_url.as_str() || asked.is_some_and(|host| host.has_origin(origin));
    Some(if own { Sender::Own } else { Sender::Other })
}

/// Whether a request switches its connection to another protocol, as a WebSocket does (RFC 6455, section 4.1; RFC 8441, section 4).
fn is_upgrade(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::CONNECT || headers.contains_key(UPGRADE)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).map(|header| header.to_str().unwrap_or("unreadable"))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::secrets::generate_secret_key;

    const EVIL: (&str, &str) = ("origin", "https://evil.example");
    const OWN: (&str, &str) = ("origin", "https://a.example");
    const UPGRADE: (&str, &str) = ("upgrade", "websocket");

    fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
        let request = Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn requests_of_other_sites_are_refused() {
        let config = Config::new(generate_secret_key(), "https://a.example".parse().unwrap());
        let site = |value| ("sec-fetch-site", value);
        let mode = |value| ("sec-fetch-mode", value);
        for (method, uri, headers, own) in [
            ("POST", "/", vec![], true),
            ("POST", "/", vec![site("same-origin")], true),
            ("POST", "/", vec![site("none")], true),
            ("POST", "/", vec![site("same-site")], false),
            ("POST", "/", vec![site("cross-site"), mode("navigate")], false),
            ("DELETE", "/", vec![site("cross-site")], false),
            ("GET", "/", vec![site("cross-site"), mode("navigate")], true),
            ("GET", "/", vec![site("cross-site"), mode("navigate"), EVIL], false),
            ("GET", "/", vec![site("same-site"), mode("cors")], false),
            ("POST", "/", vec![OWN], true),
            ("POST", "/", vec![("origin", "http://b.example:81"), ("host", "b.example:81")], true),
            ("POST", "http://b.example:81/", vec![("origin", "http://b.example:81")], true),
            ("POST", "/", vec![EVIL, ("host", "a.example")], false),
            ("POST", "https://a.example/", vec![EVIL], false),
            ("POST", "/", vec![("origin", "null")], false),
            ("POST", "/", vec![site("cross-site"), OWN], false),
            // With two hosts it is ambiguous which one the origin has to match.
            ("POST", "http://b.example/", vec![("origin", "http://b.example"), ("host", "c.example")], false),
            ("GET", "/", vec![EVIL], false),
            ("GET", "/", vec![("origin", "null")], false),
            ("GET", "/", vec![OWN], true),
            ("HEAD", "/", vec![EVIL], false),
            // WebSockets.
            ("GET", "/", vec![UPGRADE], true),
            ("GET", "/", vec![UPGRADE, OWN], true),
            ("GET", "/", vec![UPGRADE, EVIL], false),
            ("GET", "/", vec![UPGRADE, ("origin", "null")], false),
            ("GET", "/", vec![UPGRADE, EVIL, site("same-origin")], false),
            ("GET", "/", vec![UPGRADE, site("cross-site"), mode("navigate")], false),
            ("CONNECT", "https://a.example", vec![OWN], true),
            ("CONNECT", "https://a.example", vec![EVIL, site("same-origin")], false),
        ] {
            let parts = parts(method, uri, &headers);
            assert_eq!(refuse_other_sites(&config, &parts).is_ok(), own, "{method} {uri} {headers:?}");
        }
    }

    #[test]
    fn the_host_is_that_of_the_address_or_of_the_header_and_never_of_two() {
        for (uri, hosts, expected) in [
            ("/", vec![], Ok(None)),
            ("/", vec![("host", "a.example:81")], Ok(Some("a.example:81"))),
            ("https://a.example/", vec![], Ok(Some("a.example"))),
            ("https://A.example/", vec![("host", "a.example")], Ok(Some("A.example"))),
            ("https://a.example/", vec![("host", "b.example")], Err(ContradictoryHosts)),
            ("https://a.example/", vec![("host", "a.example:8443")], Err(ContradictoryHosts)),
            ("/", vec![("host", "a.example"), ("host", "a.example")], Err(ContradictoryHosts)),
            ("/", vec![("host", "\u{fc}")], Err(ContradictoryHosts)),
        ] {
            let parts = parts("GET", uri, &hosts);
            let found = RequestHost::of(&parts.uri, &parts.headers).map(|host| host.map(|host| host.0));
            assert_eq!(found, expected, "{uri} {hosts:?}");
        }
    }
}
