//! The layer around every route: headers, request ID, time limit, log line, and HTML pages for errors in a browser.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use countersign::Accounts;
use countersign::http::problem::{INTERNAL, Problem, is_oauth_endpoint};
use countersign::pages::ErrorPage;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep_until};
use tower::{Layer, Service};
use tracing::info;

use super::TOOK_TOO_LONG;
use super::browser_headers::{BrowserHeaders, Transport};
use super::cross_origin::{CrossOrigins, Sharing};
use crate::metrics::{Counted, Metrics};
use crate::telemetry::{RequestId, RequestSpan, TraceParents};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layer around every route, in a single one because each layer costs about a microsecond per request.
#[derive(Clone)]
pub(super) struct ResponseLayer {
    pub(super) accounts: Accounts,
    pub(super) browser_headers: BrowserHeaders,
    /// Other origins whose scripts may use the API.
    pub(super) cross_origins: CrossOrigins,
    pub(super) request_time_max: Duration,
    /// The metrics that count requests, if enabled.
    pub(super) metrics: Option<Metrics>,
    /// Whose traces are continued, if requests are traced.
    pub(super) traces: Option<TraceParents>,
}

/// A route with the layer around it.
#[derive(Clone)]
pub(super) struct ResponseService<S> {
    layer: ResponseLayer,
    route: S,
}

impl<S> Layer<S> for ResponseLayer {
    type Service = ResponseService<S>;

    fn layer(&self, route: S) -> ResponseService<S> {
        ResponseService { layer: self.clone(), route }
    }
}

impl<S> Service<Request> for ResponseService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.route.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let layer = &self.layer;
        let id = RequestId::new(layer.accounts.clock().now());
        Answering {
            id,
            span: RequestSpan::begin(layer.traces, &request, &id, &layer.accounts),
            counted: Counted::begin(layer.metrics.as_ref()),
            asked: Asked::about(&request, layer),
            time_max: layer.request_time_max,
            limit: None,
            answer: self.route.call(request),
            page: None,
        }
    }
}

pin_project! {
    /// A request in progress.
    pub(super) struct Answering<A> {
        id: RequestId,
        span: RequestSpan,
        counted: Counted,
        asked: Asked,
        time_max: Duration,
        // Started only for requests that are not answered at the first poll.
        #[pin]
        limit: Option<Sleep>,
        #[pin]
        answer: A,
        // Renders an error as a page for a browser.
        page: Option<Page>,
    }
}

type Page = Pin<Box<dyn Future<Output = Response> + Send>>;

/// A response in the form that suits its reader.
enum Shown {
    /// The response as it is.
    Now(Response),
    /// An HTML page with the same error and the user's name.
    Soon(Page),
}

impl<A: Future<Output = Result<Response, Infallible>>> Future for Answering<A> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let id = *this.id;
        let (span, counted) = (this.span, this.counted);
        let poll = || {
            let response = if let Some(page) = this.page {
                ready!(page.as_mut().poll(cx))
            } else {
                // A panic was already logged by the hook; only the response is left to build.
                let response = match catch_unwind(AssertUnwindSafe(|| this.answer.poll(cx))) {
                    Ok(Poll::Ready(Ok(response))) => response,
                    Ok(Poll::Pending) => {
                        if this.limit.is_none() {
                            let end = tokio::time::Instant::from_std(this.asked.at) + *this.time_max;
                            this.limit.set(Some(sleep_until(end)));
                        }
                        ready!(this.limit.as_pin_mut().map_or(Poll::Pending, |limit| limit.poll(cx)));
                        this.asked.reader.told(Problem::new(&TOOK_TOO_LONG))
                    }
                    Err(_) => this.asked.reader.told(Problem::new(&INTERNAL)),
                };
                match this.asked.reader.shown(response) {
                    Shown::Now(response) => response,
                    Shown::Soon(page) => ready!(this.page.insert(page).as_mut().poll(cx)),
                }
            };
            span.answered(response.status());
            Poll::Ready(Ok(this.asked.finish(response, id, counted)))
        };
        id.during(|| span.during(poll))
    }
}

/// The parts of a request that are needed when it is answered.
struct Asked {
    at: Instant,
    reader: Reader,
    transport: Transport,
    browser_headers: BrowserHeaders,
    sharing: Sharing,
    method: Method,
    /// Never the path itself, which can contain anything a user typed by mistake.
    route: Option<MatchedPath>,
}

impl Asked {
    fn about(request: &Request, layer: &ResponseLayer) -> Self {
        Self {
            at: Instant::now(),
            reader: Reader::of(request, &layer.accounts),
            transport: Transport::of(request),
            browser_headers: layer.browser_headers.clone(),
            sharing: Sharing::of(&layer.cross_origins, request),
            method: request.method().clone(),
            route: request.extensions().get::<MatchedPath>().cloned(),
        }
    }

    fn finish(&self, mut response: Response, id: RequestId, counted: &Counted) -> Response {
        response = self.sharing.share(response);
        self.browser_headers.dress(response.headers_mut(), self.transport);
        // A client-chosen ID could inject text into the log, so IDs from clients are ignored.
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        let (route, took) = (self.route.as_ref().map(MatchedPath::as_str), self.at.elapsed());
        counted.answered(&self.method, route, response.status(), took);
        info!(
            // A plain field is written faster than a format string.
            message = "answered",
            method = self.method.as_str(),
            route = route.unwrap_or("none"),
            status = response.status().as_u16(),
            milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        );
        response
    }
}

/// The reader of a response.
enum Reader {
    /// An API client.
    Program,
    /// An OAuth client.
    OAuthClient,
    /// A person in a browser, who sees errors as a page.
    Person(Accounts, ErrorPage),
}

impl Reader {
    fn of(request: &Request, accounts: &Accounts) -> Self {
        match request.uri().path() {
            path if is_oauth_endpoint(path) => Self::OAuthClient,
            "/api" | "/health" | "/ready" | "/openapi.json" => Self::Program,
            path if path.starts_with("/api/") => Self::Program,
            _ => Self::Person(accounts.clone(), ErrorPage::of(accounts, request.uri(), request.headers())),
        }
    }

    /// Returns the response to a problem that no route reported. For a person it becomes a page later.
    fn told(&self, problem: Problem) -> Response {
        match self {
            Self::OAuthClient => problem.for_oauth().into_response(),
            Self::Program | Self::Person(..) => problem.into_response(),
        }
    }

    fn shown(&self, response: Response) -> Shown {
        match self {
            Self::Person(accounts, page) if is_problem(&response) => {
                let (accounts, page) = (accounts.clone(), page.clone());
                Shown::Soon(Box::pin(async move {
                    let page = page.render(&accounts, response.status()).await;
                    for_a_person(response, page)
                }))
            }
            Self::Program | Self::OAuthClient | Self::Person(..) => Shown::Now(response),
        }
    }
}

/// Returns whether it is a problem, or the validation error list, which has its own media type.
fn is_problem(response: &Response) -> bool {
    let found = response.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let has_faults = response.status() == StatusCode::UNPROCESSABLE_ENTITY;
    found.starts_with(b"application/problem+json") || (has_faults && found.starts_with(b"application/json"))
}

/// Replaces the body with a page. Keeps headers about the request, such as `Allow`, and drops those about the body.
fn for_a_person(problem: Response, mut page: Response) -> Response {
    let (parts, _) = problem.into_parts();
    for (name, value) in &parts.headers {
        if !page.headers().contains_key(name) && ![CONTENT_LENGTH, CONTENT_ENCODING].contains(name) {
            page.headers_mut().append(name, value.clone());
        }
    }
    page
}
