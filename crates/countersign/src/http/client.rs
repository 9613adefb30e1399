//! Decides where a request comes from: the peer of its connection, as the server noted it, what it calls itself, and which
//! languages it prefers.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{ACCEPT_LANGUAGE, HeaderName, USER_AGENT};
use axum::http::request::Parts;

use crate::model::ClientInfo;

/// Enough to tell one's devices apart, and for more languages than somebody reads.
const HEADER_CHARS_MAX: usize = 200;

impl<S: Send + Sync> FromRequestParts<S> for ClientInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let text = |name: HeaderName| {
            // `to_str` lets visible ASCII through alone.
            let header = parts.headers.get(name).and_then(|header| header.to_str().ok());
            header.map(|text| text.chars().take(HEADER_CHARS_MAX).collect())
        };
        Ok(Self {
            address: peer.map(|ConnectInfo(peer)| peer.ip()),
            user_agent: text(USER_AGENT),
            languages: text(ACCEPT_LANGUAGE),
        })
    }
}
