//! Metrics of a running instance, and who may read them.
//!
//! Counters are atomics that exist from the start, and are formatted only when read. Labels have a fixed set of values,
//! so clients cannot add to their number.

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
use crate::serve::ConnectionCounters;

pub(crate) use self::backups::BackupCounts;
pub(crate) use self::listener::serve;

/// The path of the metrics.
pub(crate) const PATH: &str = "/metrics";
/// OpenMetrics 1.0, which Prometheus supports since 2.5.
const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The metrics of a running instance; cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Parts>);

struct Parts {
    program: &'static str,
    version: &'static str,
    started_at: Timestamp,
    requests: Requests,
    connection_counters: Arc<ConnectionCounters>,
    backups: Arc<BackupCounts>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Creates the metrics of a program that starts now.
    pub fn new<H: Host>() -> Self {
        Self(Arc::new(Parts {
            program: H::NAME,
            version: H::VERSION,
            started_at: SystemClock.now(),
            requests: Requests::new(),
            connection_counters: Arc::default(),
            backups: Arc::default(),
        }))
    }

    /// Returns the connection counters.
    pub(crate) fn connection_counters(&self) -> Arc<ConnectionCounters> {
        Arc::clone(&self.0.connection_counters)
    }

    /// Returns the backup counters.
    pub(crate) fn backups(&self) -> Arc<BackupCounts> {
        Arc::clone(&self.0.backups)
    }
}

/// A request in progress, if requests are counted. Dropping it ends the request.
pub(crate) struct Counted(Option<Metrics>);

impl Counted {
    pub(crate) fn begin(metrics: Option<&Metrics>) -> Self {
        if let Some(metrics) = metrics {
            metrics.0.requests.begun();
        }
        Self(metrics.cloned())
    }

    /// Counts a response; `route` is the router's pattern.
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
    /// Anyone who can connect to the listener.
    Everybody,
    /// Clients that send this bearer token.
    Holders(SecretKey),
}

#[derive(Clone)]
struct Door {
    metrics: Metrics,
    accounts: Accounts,
    readers: Readers,
}

/// Returns the metrics page. Clients without access get 404.
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
