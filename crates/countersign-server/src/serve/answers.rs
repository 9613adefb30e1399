//! The requests of one connection on their way to the application, and the answers on their way back.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Request, Response, StatusCode, Version};
use countersign::http::AskedHost;
use hyper::body::Incoming;
use tower::ServiceExt as _;

use super::guests::Desk;
use super::lingering::Conversation;
use super::unread::{Fate, watch};
use crate::Draining;

/// What the answers of one connection depend on.
pub(super) struct Answers {
    pub(super) app: Router,
    pub(super) peer: SocketAddr,
    pub(super) desk: Desk,
    pub(super) draining: Draining,
    pub(super) conversation: Arc<Conversation>,
}

/// The connection is being ended, so its request is not begun.
#[derive(Debug, thiserror::Error)]
#[error("the connection makes room for others")]
pub(super) struct ShownOut;

impl Answers {
    /// The answer to a request, when there is nothing left of the request that would get in its way.
    pub(super) fn to(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, ShownOut>> + use<> {
        let under_way = self.desk.begin();
        let ends_by_header = request.version() < Version::HTTP_2;
        if !ends_by_header {
            self.conversation.turns_to_http2();
        }
        let (mut request, rest) = watch(request, &self.desk);
        let answer = (under_way.is_some() && names_its_host(&request)).then(|| {
            request.extensions_mut().insert(ConnectInfo(self.peer));
            self.app.clone().oneshot(request)
        });
        let (draining, conversation) = (self.draining.clone(), Arc::clone(&self.conversation));
        async move {
            let under_way = under_way.ok_or(ShownOut)?;
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
                // The client sends its next request elsewhere, instead of into a connection that is just being closed.
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer)
        }
    }
}

/// Whether a request says which host it is for, and only once (RFC 9112, section 3.2; RFC 9113, section 8.3.1): what a proxy
/// before us and we take for the host must not differ. HTTP/2 has it in the address, and HTTP/1.0 need not have it.
fn names_its_host<B>(request: &Request<B>) -> bool {
    let is_named = request.version() != Version::HTTP_11 || request.headers().contains_key(HOST);
    is_named && AskedHost::of(request.uri(), request.headers()).is_ok()
}

/// As bare as the answers to other heads that cannot be understood.
fn without_a_host() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
