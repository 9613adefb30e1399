//! Assembles the HTTP application: the API, its documentation, health checks, and what applies to all routes.

mod browser_headers;
mod cross_origin;
mod dev_mail;
mod health;
mod html;
mod response_layer;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::FromRef;
use axum::http::Uri;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use conf::Conf as _;
use countersign::Accounts;
use countersign::config::{HttpPolicy, SecretKey};
use countersign::http::problem::{self, Problem, ProblemKind};
use tower_http::compression::CompressionLayer;
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, Server, Tag};
use utoipa_axum::router::OpenApiRouter;

use self::browser_headers::BrowserHeaders;
pub use self::browser_headers::{Hsts, HstsScope};
pub use self::cross_origin::CrossOrigins;

use crate::metrics::{self, Metrics, Readers};
use crate::telemetry::TraceParents;
use crate::{Host, docs};

/// The request exceeded its time limit.
pub(crate) static TOOK_TOO_LONG: ProblemKind = ProblemKind {
    code: "took_too_long",
    status: 503,
    title: "The request took too long",
    when: "The server did not finish the request within the time limit, or the request's body arrived too slowly. Retrying later may help.",
};

/// The instance should not receive requests now.
pub(crate) static NOT_READY: ProblemKind = ProblemKind {
    code: "not_ready",
    status: 503,
    title: "Not ready",
    when: "`GET /ready`: the database is not writable, its schema does not match the program, a check of the application fails, or the instance is stopping.",
};

/// The problem kinds of this crate.
pub static KINDS: &[&ProblemKind] = &[&TOOK_TOO_LONG, &NOT_READY];

/// A flag that the instance is about to stop.
#[derive(Clone, Debug, Default)]
pub struct Draining(Arc<AtomicBool>);

impl Draining {
    /// Marks the instance as not ready.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The settings of HTTP, apart from those of the accounts and the host.
#[derive(Clone)]
#[non_exhaustive]
pub struct HttpSettings {
    /// The policy for the routes.
    pub policy: HttpPolicy,
    /// Maximum duration of a request.
    pub request_time_max: Duration,
    /// Set while the instance is stopping.
    pub draining: Draining,
    /// The users of the instance.
    pub audience: Audience,
    /// The HSTS policy for browsers, if the site is https; `None` sends no header.
    pub hsts: Option<Hsts>,
    /// Other origins whose scripts may use the API.
    pub cross_origins: CrossOrigins,
    /// The metrics that count requests, if enabled.
    pub metrics: Option<Metrics>,
    /// The bearer token for `/metrics`; without it the page does not exist.
    pub metrics_token: Option<SecretKey>,
    /// Whose traces are continued, if requests are traced.
    pub traces: Option<TraceParents>,
}

/// The users of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The public.
    Public,
    /// A developer on this machine, who may read captured mails at `/dev/mail`.
    Developer,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            policy: HttpPolicy::default(),
            request_time_max: Duration::from_secs(30),
            draining: Draining::default(),
            audience: Audience::Public,
            hsts: Some(Hsts::default()),
            cross_origins: CrossOrigins::default(),
            metrics: None,
            metrics_token: None,
            traces: None,
        }
    }
}

/// Assembles the complete application of a host, ready to be served. `state` is the result of [`Host::state`].
///
/// # Panics
/// Never: an OpenAPI document can always be serialized to JSON.
pub fn assemble<H: Host>(state: H::State, settings: &H::Settings, http: &HttpSettings) -> Router
where
    Accounts: FromRef<H::State>,
{
    let accounts = Accounts::from_ref(&state);
    let host_checks = H::readiness_checks(&state, settings).into();
    let pages = H::pages(settings).with_state(state.clone());
    let (api, mut document) = api::<H>(settings, &http.policy).with_state(state).split_for_parts();
    let (health, of_health) = health::routes()
        .with_state(health::Health {
            accounts: accounts.clone(),
            check: health::check::<H>,
            draining: http.draining.clone(),
            last_look: health::LastCheck::default(),
            host_checks,
            last_host_look: health::LastCheck::default(),
        })
        .split_for_parts();
    document.merge(of_health);
    complete(&mut document);
    let document = document.to_pretty_json().expect("an OpenAPI document is JSON");
    // Only responses that are the same for everybody are compressed. If a response mixes a secret with client input,
    // its compressed length leaks the secret (BREACH).
    let documents = docs::router(document.into())
        .route("/problems", get(|| async { problems_page::<H>() }))
        .merge(countersign::pages::assets::<Accounts>().with_state(accounts.clone()))
        .layer(CompressionLayer::new());
    let dev_pages = match (http.audience, accounts.mailbox()) {
        (Audience::Developer, Some(mailbox)) => dev_mail::routes(mailbox.clone()),
        _ => Router::new(),
    };
    let metrics_page = match (&http.metrics, &http.metrics_token) {
        (Some(metrics), Some(token)) => {
            metrics::routes(metrics.clone(), accounts.clone(), Readers::Holders(token.clone()))
        }
        _ => Router::new(),
    };
    Router::new()
        .merge(pages)
        .merge(api)
        .merge(health)
        .merge(documents)
        .merge(dev_pages)
        .merge(metrics_page)
        .merge(countersign::http::static_files(&accounts))
        .fallback(|| async { Problem::new(&problem::NOT_FOUND).detail("Not Found") })
        .method_not_allowed_fallback(|uri: Uri| async move {
            let problem = Problem::new(&problem::METHOD_NOT_ALLOWED).detail("Method Not Allowed");
            if problem::is_oauth_endpoint(uri.path()) { problem.for_oauth() } else { problem }
        })
        .layer(response_layer::ResponseLayer {
            browser_headers: BrowserHeaders::new(&accounts.config().public_url, http.hsts),
            cross_origins: http.cross_origins.clone(),
            accounts,
            request_time_max: http.request_time_max,
            metrics: http.metrics.clone(),
            traces: http.traces,
        })
}

/// Returns the OpenAPI document of a host with default settings, without a database.
///
/// # Panics
/// If a setting of the host has no default, which [`Host::Settings`] requires.
pub fn openapi<H: Host>() -> OpenApi
where
    Accounts: FromRef<H::State>,
{
    let nothing: [(&str, &str); 0] = [];
    let settings = H::Settings::try_parse_from([H::NAME], nothing).expect("every setting of a host has a default");
    document::<H>(&settings, &HttpPolicy::default())
}

fn document<H: Host>(settings: &H::Settings, policy: &HttpPolicy) -> OpenApi
where
    Accounts: FromRef<H::State>,
{
    let mut document = api::<H>(settings, policy).into_openapi();
    document.merge(health::routes().into_openapi());
    complete(&mut document);
    document
}

/// Adds what no operation can say alone: the address of the API, the list of tags, and that an operation without security
/// requirements is for everybody, where silence could be an oversight.
fn complete(document: &mut OpenApi) {
    let mut tags = BTreeSet::new();
    for path in document.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.put, &mut path.post, &mut path.delete, &mut path.patch];
        for operation in operations.into_iter().flatten() {
            operation.security.get_or_insert_default();
            tags.extend(operation.tags.iter().flatten().cloned());
        }
    }
    document.tags = Some(tags.into_iter().map(Tag::new).collect());
    document.servers = Some(vec![Server::new("/")]);
}

fn api<H: Host>(settings: &H::Settings, policy: &HttpPolicy) -> OpenApiRouter<H::State>
where
    Accounts: FromRef<H::State>,
{
    let document = OpenApiBuilder::new()
        .info(InfoBuilder::new().title(H::NAME).description(Some(H::ABOUT)).version(H::VERSION))
        .build();
    OpenApiRouter::with_openapi(document)
        .merge(H::routes(settings, policy))
        .merge(countersign::http::well_known::routes())
}

/// Returns every problem kind of a host application.
fn problem_kinds<H: Host>() -> impl Iterator<Item = &'static ProblemKind> {
    problem::KINDS.iter().chain(H::PROBLEMS).chain(KINDS).copied()
}

/// Lists every problem kind, under the anchors that a problem's `type` points to.
fn problems_page<H: Host>() -> Response {
    let policy = html::CONTENT_SECURITY_POLICY.clone();
    ([(CONTENT_SECURITY_POLICY, policy)], Html(html::problem_list(problem_kinds::<H>()))).into_response()
}

/// Returns the reference of all problems of a host application, in Markdown.
pub fn problems_reference<H: Host>() -> String {
    let mut text = String::from(
        "# Problems\n\n\
         Generated from the definitions in the code. Do not edit; run the tests with `UPDATE_DOCS=1` instead.\n\n\
         The errors that the API returns. `code` is stable: branch on it. [api.md](api.md#errors) shows the whole response.\n\n\
         | code | status | title | when |\n|---|---|---|---|\n",
    );
    for ProblemKind { code, status, title, when } in problem_kinds::<H>() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| `{code}` | {status} | {title} | {when} |");
    }
    text
}
