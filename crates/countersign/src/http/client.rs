//! Client information of a request: its address (that of the peer, or of the client behind a trusted proxy), its user agent, and
//! the languages it prefers.

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

/// Maximum length of a header value that is kept, in characters: enough to tell a user's devices apart, and for more languages than
/// a person reads.
const HEADER_CHARS_MAX: usize = 200;
/// Maximum number of device cookies that count: more than the users of one browser.
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
            // `to_str` accepts only visible ASCII.
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

/// Returns the genuine device cookies. Other cookies of that name do not use up the limit, however many there are.
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
    // A line that is not text counts as empty.
    let lines = parts.headers.get_all(proxies.header.as_str()).iter();
    let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
    if !lines.is_empty() {
        warn_of_unknown_proxy(proxies, peer.ip());
    }
    ClientAddress::Known(proxies.client_address(peer.ip(), lines.into_iter()))
}

/// Warns once about a peer on a nearby network that sends forwarding headers: most likely a proxy missing from `TRUSTED_PROXIES`.
/// All its clients then count as one, and one of them can use up the rate limits of all.
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
