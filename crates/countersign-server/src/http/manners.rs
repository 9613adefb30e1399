//! Decides what holds for every answer: its headers, its id, its time limit, its line in the log.

use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse as _, Response};
use countersign::Accounts;
use countersign::http::problem::Problem;
use countersign::secrets::random_uuid_v7;
use tracing::{Instrument as _, error_span, info};

use super::{TOOK_TOO_LONG, html};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NOTHING_ELSE: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");

#[derive(Clone)]
pub(super) struct Manners {
    pub(super) accounts: Accounts,
    pub(super) request_time_max: Duration,
}

/// Who reads an answer: a program, or a person in a browser.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Program,
    Person,
}

impl Reader {
    fn of(path: &str) -> Self {
        match path {
            "/api" | "/health" | "/ready" | "/openapi.json" => Self::Program,
            _ if path.starts_with("/api/") => Self::Program,
            _ => Self::Person,
        }
    }
}

pub(super) async fn apply(State(manners): State<Manners>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = random_uuid_v7(manners.accounts.clock().now());
    // An id that the client chose could put words into the log, so its own is not taken over.
    let request_id = id.hyphenated().to_string();
    let reader = Reader::of(request.uri().path());
    let transport = Transport::of(&request);
    let method = request.method().clone();
    // Never the path itself: it can hold what somebody typed by mistake.
    let route = request.extensions().get::<MatchedPath>().cloned();
    // At the level of errors, so that they always carry the request's id.
    let span = error_span!("request", request_id);

    let answer = tokio::time::timeout(manners.request_time_max, next.run(request)).instrument(span.clone()).await;
    let mut response = answer.unwrap_or_else(|_| Problem::new(&TOOK_TOO_LONG).into_response());
    if reader == Reader::Person && is_problem(&response) {
        response = for_a_person(response);
    }
    dress(response.headers_mut(), transport);
    if let Ok(value) = HeaderValue::try_from(&request_id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    info!(
        parent: &span,
        method = method.as_str(),
        route = route.as_ref().map_or("none", MatchedPath::as_str),
        status = response.status().as_u16(),
        milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        "answered",
    );
    response
}

/// How the client reaches the site, as far as its `Host` tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// On the same machine, where plain HTTP has to go on working.
    Local,
    /// Over a network, where browsers shall insist on encryption.
    Public,
}

impl Transport {
    pub(super) fn of(request: &Request) -> Self {
        // HTTP/2 has the host in the address, HTTP/1 in a header.
        let authority = match request.uri().authority() {
            Some(authority) => Some(authority.as_str()),
            None => request.headers().get(HOST).and_then(|host| host.to_str().ok()),
        };
        let authority = authority.unwrap_or_default();
        let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, _)) => address,
            None => authority.split(':').next().unwrap_or_default(),
        };
        match host.to_ascii_lowercase().as_str() {
            "localhost" | "127.0.0.1" | "::1" => Self::Local,
            _ => Self::Public,
        }
    }
}

fn dress(headers: &mut HeaderMap, transport: Transport) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if transport == Transport::Public {
        let two_years = HeaderValue::from_static("max-age=63072000; includeSubDomains");
        headers.insert(STRICT_TRANSPORT_SECURITY, two_years);
    }
    let unless_set = [
        (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (REFERRER_POLICY, HeaderValue::from_static("strict-origin-when-cross-origin")),
        (CONTENT_SECURITY_POLICY, NOTHING_ELSE),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    for (name, value) in unless_set {
        headers.entry(name).or_insert(value);
    }
}

fn is_problem(response: &Response) -> bool {
    response.headers().get(CONTENT_TYPE).is_some_and(|found| found.as_bytes().starts_with(b"application/problem+json"))
}

/// The same answer as a page; headers that say something about the request, such as `Allow`, stay.
fn for_a_person(problem: Response) -> Response {
    let (parts, _) = problem.into_parts();
    let mut page = (parts.status, Html(html::error_page(parts.status))).into_response();
    page.headers_mut().insert(CONTENT_SECURITY_POLICY, html::CONTENT_SECURITY_POLICY.clone());
    for (name, value) in &parts.headers {
        if !page.headers().contains_key(name) && name != axum::http::header::CONTENT_LENGTH {
            page.headers_mut().append(name, value.clone());
        }
    }
    page
}
