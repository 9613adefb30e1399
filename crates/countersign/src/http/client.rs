//! Decides where a request comes from: the peer of its connection, or whom a trusted proxy speaks for; what it calls itself,
//! and which languages it prefers.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRef, FromRequestParts};
use axum::http::header::{ACCEPT_LANGUAGE, HeaderName, USER_AGENT};
use axum::http::request::Parts;

use crate::Accounts;
use crate::model::ClientInfo;

/// Enough to tell one's devices apart, and for more languages than somebody reads.
const HEADER_CHARS_MAX: usize = 200;

impl<S> FromRequestParts<S> for ClientInfo
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let text = |name: HeaderName| {
            // `to_str` lets visible ASCII through alone.
            let header = parts.headers.get(name).and_then(|header| header.to_str().ok());
            header.map(|text| text.chars().take(HEADER_CHARS_MAX).collect())
        };
        Ok(Self {
            address: peer.map(|ConnectInfo(peer)| {
                let accounts = Accounts::from_ref(state);
                let proxies = &accounts.config().proxies;
                // A line that is no text counts as one that says nothing.
                let lines = parts.headers.get_all(proxies.header.as_str()).iter();
                let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
                proxies.client_address(peer.ip(), lines.into_iter())
            }),
            user_agent: text(USER_AGENT),
            languages: text(ACCEPT_LANGUAGE),
        })
    }
}
