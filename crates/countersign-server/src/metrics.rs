//! Decides what an operator can learn of a running instance in figures, and who may read them.
//!
//! Everything is counted where it happens, in numbers that are there from the start, and put into words when somebody asks.
//! What is counted is of closed lists: nothing that a client sends becomes part of a figure's name.

mod backups;
mod exposition;
mod listener;
mod process;
mod requests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use countersign::Accounts;
use countersign::clock::{Clock as _, SystemClock};
use countersign::config::SecretKey;
use countersign::http::problem::{NOT_FOUND, Problem};
use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use self::requests::Requests;
use crate::Host;
use crate::serve::Attendance;

pub(crate) use self::backups::BackupCounts;
pub(crate) use self::listener::serve;

/// Where they are read.
pub(crate) const PATH: &str = "/metrics";
/// OpenMetrics 1.0, which Prometheus reads since 2.5.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// What is counted of a running instance; cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Parts>);

struct Parts {
    program: &'static str,
    version: &'static str,
    started_at: Timestamp,
    requests: Requests,
    attendance: Arc<Attendance>,
    backups: Arc<BackupCounts>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Of a host's program that starts now.
    pub fn new<H: Host>() -> Self {
        Self(Arc::new(Parts {
            program: H::NAME,
            version: H::VERSION,
            started_at: SystemClock.now(),
            requests: Requests::new(),
            attendance: Arc::default(),
            backups: Arc::default(),
        }))
    }

    /// Where connections are counted.
    pub(crate) fn attendance(&self) -> Arc<Attendance> {
        Arc::clone(&self.0.attendance)
    }

    /// Where backups are counted.
    pub(crate) fn backups(&self) -> Arc<BackupCounts> {
        Arc::clone(&self.0.backups)
    }
}

/// A request that is being answered, if requests are counted; whoever drops it has answered it or given it up.
pub(crate) struct Counted(Option<Metrics>);

impl Counted {
    pub(crate) fn begin(metrics: Option<&Metrics>) -> Self {
        if let Some(metrics) = metrics {
            metrics.0.requests.begun();
        }
        Self(metrics.cloned())
    }

    /// It is answered; `route` is what the router calls it.
    pub(crate) fn answered(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        if let Self(Some(metrics)) = self {
            metrics.0.requests.answered(method, route, status, took);
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Self(Some(metrics)) = self {
            metrics.0.requests.ended();
        }
    }
}

/// Who may read the metrics.
#[derive(Clone)]
pub(crate) enum Readers {
    /// Whoever reaches the listener.
    Everybody,
    /// Whoever shows this token.
    Holders(SecretKey),
}

#[derive(Clone)]
struct Door {
    metrics: Metrics,
    accounts: Accounts,
    readers: Readers,
}

/// The page of the metrics. To whoever may not read it, it is not there.
pub(crate) fn routes(metrics: Metrics, accounts: Accounts, readers: Readers) -> Router {
    Router::new().route(PATH, any(read)).with_state(Door { metrics, accounts, readers })
}

async fn read(State(door): State<Door>, request: Request) -> Response {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_read || !door.readers.include(request.headers()) {
        return Problem::new(&NOT_FOUND).detail("Not Found").into_response();
    }
    let text = exposition::write(&door.metrics, &door.accounts).await;
    ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

impl Readers {
    fn include(&self, headers: &HeaderMap) -> bool {
        let Self::Holders(token) = self else { return true };
        let mut shown = headers.get_all(AUTHORIZATION).iter();
        let (Some(shown), None) = (shown.next(), shown.next()) else { return false };
        let Some((scheme, shown)) = shown.to_str().ok().and_then(|shown| shown.split_once(' ')) else { return false };
        scheme.eq_ignore_ascii_case("bearer") && bool::from(shown.trim().as_bytes().ct_eq(token.expose().as_bytes()))
    }
}
