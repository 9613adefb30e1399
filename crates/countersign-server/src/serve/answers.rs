//! Passes the requests of one connection to the application, and its responses back.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Request, Response, StatusCode, Version};
use countersign::http::RequestHost;
use hyper::body::Incoming;
use tower::ServiceExt as _;

use super::lingering::Conversation;
use super::open_connections::RequestCounter;
use super::unread::{Fate, watch};
use crate::Draining;

/// The context of the responses of one connection.
pub(super) struct Answers {
    pub(super) app: Router,
    pub(super) peer: SocketAddr,
    pub(super) request_counter: RequestCounter,
    pub(super) draining: Draining,
    pub(super) conversation: Arc<Conversation>,
}

/// The connection is being evicted, so its request is not begun.
#[derive(Debug, thiserror::Error)]
#[error("the connection is being evicted")]
pub(super) struct Evicted;

impl Answers {
    /// Answers a request, after the rest of its body was read.
    pub(super) fn to(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Evicted>> + use<> {
        let under_way = self.request_counter.begin();
        let ends_by_header = request.version() < Version::HTTP_2;
        if !ends_by_header {
            self.conversation.turns_to_http2();
        }
        let (mut request, rest) = watch(request, &self.request_counter);
        let answer = (under_way.is_some() && names_its_host(&request)).then(|| {
            request.extensions_mut().insert(ConnectInfo(self.peer));
            self.app.clone().oneshot(request)
        });
        let (draining, conversation) = (self.draining.clone(), Arc::clone(&self.conversation));
        async move {
            let under_way = under_way.ok_or(Evicted)?;
            let mut answer = match answer {
                None => without_a_host(),
                Some(answer) => {
                    let Ok(answer) = answer.await;
                    answer
                }
            };
            let mut is_last = ends_by_header && draining.has_begun();
            match rest.read_to_end().await {
                Fate::Read => conversation.has_read(),
                Fate::InUse => {}
                Fate::Unread(body) => {
                    conversation.leaves_unread();
                    if !ends_by_header {
                        return Ok(body.hold_open(answer, under_way));
                    }
                    is_last = true;
                }
            }
            if is_last {
                // The client then sends its next request on another connection, and not into one that is being closed.
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer)
        }
    }
}

/// Returns whether a request names exactly one host (RFC 9112, section 3.2; RFC 9113, section 8.3.1). Otherwise a proxy
/// in front could see another host than this server. HTTP/2 has it in the URL, and HTTP/1.0 may omit it.
fn names_its_host<B>(request: &Request<B>) -> bool {
    let is_named = request.version() != Version::HTTP_11 || request.headers().contains_key(HOST);
    is_named && RequestHost::of(request.uri(), request.headers()).is_ok()
}

/// Returns a bare response, like those to other malformed heads.
fn without_a_host() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
