//! The span of a request, and whether it continues a client's trace.
//!
//! The method is the only client data in it: a path can contain secrets, so the route pattern is recorded instead.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::http::StatusCode;
use countersign::Accounts;
use countersign_db::TRACE_TARGET;
use tracing::{Span, field, info_span};

use super::{RequestId, TRACE, TraceId};

/// Whose `traceparent` headers are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceParents {
    /// Every request begins its own trace.
    Nobody,
    /// Those of trusted proxies.
    TrustedProxies,
}

/// The span of a request, if requests are traced.
///
/// Boxed, because every request would reserve its space, traced or not.
pub(crate) struct RequestSpan(Option<Box<Begun>>);

struct Begun {
    span: Span,
    trace: Option<TraceId>,
}

impl RequestSpan {
    /// Begins a span; without `parents` requests are not traced.
    pub(crate) fn begin(parents: Option<TraceParents>, request: &Request, id: &RequestId, accounts: &Accounts) -> Self {
        let Some(parents) = parents else { return Self(None) };
        let method = request.method().as_str();
        let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str);
        let span = info_span!(
            target: TRACE_TARGET,
            parent: None,
            "request",
            otel.name = format!("{method} {route}"),
            otel.kind = "server",
            otel.status_code = field::Empty,
            http.request.method = method,
            http.route = route,
            http.response.status_code = field::Empty,
            request.id = id.as_str(),
        );
        let is_believed = parents == TraceParents::TrustedProxies && comes_from_a_trusted_proxy(request, accounts);
        let trace = super::traces::enter_trace(&span, is_believed.then(|| request.headers()));
        Self(Some(Box::new(Begun { span, trace })))
    }

    /// Runs work that is part of the request.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        match self.0.as_deref() {
            None => work(),
            Some(Begun { span, trace: None }) => span.in_scope(work),
            Some(Begun { span, trace: Some(trace) }) => TRACE.sync_scope(*trace, || span.in_scope(work)),
        }
    }

    /// Records the response.
    pub(crate) fn answered(&self, status: StatusCode) {
        if let Some(Begun { span, .. }) = self.0.as_deref() {
            span.record("http.response.status_code", i64::from(status.as_u16()));
            if status.is_server_error() {
                span.record("otel.status_code", "ERROR");
            }
        }
    }
}

fn comes_from_a_trusted_proxy(request: &Request, accounts: &Accounts) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| accounts.config().proxies.trusts(peer.ip()))
}
