//! Where a request comes from: the peer of its connection, or whom a trusted proxy speaks for; what it calls itself,
//! and which languages it prefers.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Once;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::header::{ACCEPT_LANGUAGE, HeaderName, USER_AGENT};
use axum::http::request::Parts;
use secrecy::SecretString;

use super::cookie;
use crate::Accounts;
use crate::model::{ClientAddress, ClientInfo, ProxyPolicy};

/// Enough to tell one's devices apart, and for more languages than somebody reads.
const HEADER_CHARS_MAX: usize = 200;
/// More users than log in with one browser.
const DEVICE_COOKIES_MAX: usize = 32;

impl<S> FromRequestParts<S> for ClientInfo
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let accounts = Accounts::from_ref(state);
        let text = |name: HeaderName| {
            // `to_str` lets visible ASCII through alone.
            let header = parts.headers.get(name).and_then(|header| header.to_str().ok());
            header.map(|text| text.chars().take(HEADER_CHARS_MAX).collect())
        };
        Ok(Self {
            address: address(&accounts, parts),
            user_agent: text(USER_AGENT),
            languages: text(ACCEPT_LANGUAGE),
            device_cookies: device_cookies(&accounts, parts),
        })
    }
}

/// Those that are genuine. Whatever else has their name, however much of it there is, takes none of their places.
fn device_cookies(accounts: &Accounts, parts: &Parts) -> Vec<SecretString> {
    let jar = cookie::Jar::of(accounts.config(), &parts.uri, &parts.headers);
    let cookies = cookie::get_devices(jar, &parts.headers).map(SecretString::from);
    cookies.filter(|cookie| accounts.is_device_cookie(cookie)).take(DEVICE_COOKIES_MAX).collect()
}

fn address(accounts: &Accounts, parts: &Parts) -> ClientAddress {
    if let Some(address) = parts.extensions.get::<ClientAddress>() {
        return *address;
    }
    let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<SocketAddr>>() else {
        accounts.warn_once_of_unknown_clients();
        return ClientAddress::Unknown;
    };
    let proxies = &accounts.config().proxies;
    // A line that is no text counts as one that says nothing.
    let lines = parts.headers.get_all(proxies.header.as_str()).iter();
    let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
    if !lines.is_empty() {
        warn_of_unknown_proxy(proxies, peer.ip());
    }
    ClientAddress::Known(proxies.client_address(peer.ip(), lines.into_iter()))
}

/// Whoever speaks for others from near by is most likely a proxy that nobody has told us of. Then all its clients count as one,
/// and one of them can use up what all of them may do.
fn warn_of_unknown_proxy(proxies: &ProxyPolicy, peer: IpAddr) {
    static WARNED: Once = Once::new();
    let is_near = match peer.to_canonical() {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    };
    if is_near && proxies.trusted.is_empty() {
        WARNED.call_once(|| {
            let header = proxies.header.as_str();
            tracing::warn!(
                %peer,
                header,
                "a proxy seems to stand in front, and TRUSTED_PROXIES does not name it: all its clients count as one"
            );
        });
    }
}
