//! Decides where a request comes from: the peer of its connection, as the server noted it, and what it calls itself.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use crate::model::ClientInfo;

/// Enough to tell one's devices apart.
const USER_AGENT_CHARS_MAX: usize = 200;

impl<S: Send + Sync> FromRequestParts<S> for ClientInfo {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let user_agent = parts.headers.get(USER_AGENT).and_then(|header| header.to_str().ok());
        Ok(Self {
            address: peer.map(|ConnectInfo(peer)| peer.ip()),
            // `to_str` has let visible ASCII through alone.
            user_agent: user_agent.map(|text| text.chars().take(USER_AGENT_CHARS_MAX).collect()),
        })
    }
}
