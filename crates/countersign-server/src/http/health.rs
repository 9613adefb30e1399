//! The health checks: `/health` for liveness and `/ready` for readiness.

use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use countersign::Accounts;
use countersign::clock::Clock;
use countersign::http::problem::{self, Problem, ProblemKind};
use countersign_db::{Db, DbError};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Draining, NOT_READY};
use crate::schema::{self, SchemaProblem, Usable};
use crate::{Host, ReadinessCheck};

type Checked<'a> = Pin<Box<dyn Future<Output = Result<Usable, SchemaProblem>> + Send + 'a>>;
type SchemaCheck = for<'a> fn(&'a Db) -> Checked<'a>;

/// How long the result of a check is reused.
const LOOK_KEPT: SignedDuration = SignedDuration::from_secs(1);

#[derive(Clone)]
pub(super) struct Health {
    pub(super) accounts: Accounts,
    /// Compares the schema with that of the host.
    pub(super) check: SchemaCheck,
    pub(super) draining: Draining,
    pub(super) last_look: LastCheck,
    pub(super) host_checks: Arc<[ReadinessCheck]>,
    pub(super) last_host_look: LastCheck,
}

/// The findings of the last check, and when it ended. The lock is held by the request that runs the check, because anyone
/// may request it and that of the database takes a turn of the writers.
#[derive(Clone, Default)]
pub(super) struct LastCheck(Arc<Mutex<Option<(Timestamp, Findings)>>>);

pub(super) fn check<H: Host>(db: &Db) -> Checked<'_> {
    Box::pin(schema::check::<H>(db))
}

pub(super) fn routes() -> OpenApiRouter<Health> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready))
}

/// The health of the instance.
#[derive(Serialize, ToSchema)]
struct HealthResponse {
    /// `healthy`
    #[schema(example = "healthy")]
    status: &'static str,
}

/// The instance accepts requests.
#[derive(Serialize, ToSchema)]
struct ReadyResponse {
    /// `ready`
    #[schema(example = "ready")]
    status: &'static str,
    checks: Vec<Check>,
}

/// The instance is not healthy or not ready: a problem with the results of the checks.
#[derive(Serialize, ToSchema)]
struct UnhealthyBody {
    /// A link to the description of the kind of problem.
    #[schema(example = "/problems#not_ready")]
    r#type: String,
    /// A short name of the kind of problem.
    title: &'static str,
    /// The response's status code.
    status: u16,
    /// The reason of the first failed check.
    detail: String,
    /// The kind of problem, for programs.
    #[schema(example = "not_ready")]
    code: &'static str,
    /// The checks that were made; a failed check skips those that depend on it.
    checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Serialize, ToSchema)]
struct Check {
    /// `serving` (not stopping), `database` (responds), `schema`, `database_write` (writable) or the application's own.
    #[schema(example = "database")]
    name: &'static str,
    /// `ok` or `failed`
    #[schema(example = "ok")]
    status: &'static str,
    /// Why it failed, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// The findings so far.
#[derive(Clone, Default)]
struct Findings(Vec<Check>);

/// The public reason for a failed check. The error itself, which may be sensitive, is only logged.
struct Reason(String);

impl Findings {
    fn note(&mut self, name: &'static str, found: Result<(), Reason>) -> Result<(), ()> {
        let reason = found.err().map(|Reason(reason)| reason);
        let (status, outcome) = if reason.is_none() { ("ok", Ok(())) } else { ("failed", Err(())) };
        self.0.push(Check { name, status, reason });
        outcome
    }

    fn is_in_order(&self) -> bool {
        self.0.iter().all(|check| check.reason.is_none())
    }

    /// Returns the problem response for the failed checks.
    fn problem(self, kind: &'static ProblemKind) -> Response {
        let detail = self.0.iter().find_map(|check| check.reason.clone()).unwrap_or_else(|| kind.title.to_owned());
        let (parts, _) = Problem::new(kind).into_response().into_parts();
        let body = UnhealthyBody {
            r#type: format!("/problems#{}", kind.code),
            title: kind.title,
            status: kind.status,
            detail,
            code: kind.code,
            checks: self.0,
        };
        Response::from_parts(parts, Body::from(serde_json::to_vec(&body).unwrap_or_default()))
    }
}

/// Logs an error with its causes. The client receives only `said`.
fn withheld(error: &DbError, said: &'static str) -> Reason {
    tracing::warn!(error = error as &(dyn std::error::Error + 'static), "not healthy: {said}");
    Reason(said.to_owned())
}

/// Check that the instance is alive and its database responds
#[utoipa::path(
    get,
    path = "/health",
    tag = "health",
    responses(
        (status = 200, description = "The instance is alive and its database responds", body = HealthResponse),
        (status = 503, description = "The database does not respond, or has rejected a write and accepts none yet", content_type = "application/problem+json", body = UnhealthyBody),
    )
)]
async fn health(State(state): State<Health>) -> Response {
    let mut findings = Findings::default();
    if state.accounts.db().writing_fails_for().is_some() {
        // Reads keep working while writes fail, so a ping would not notice that the writer never recovers.
        findings = cached_check(&state).await;
    } else {
        // A failure is among the findings.
        let _ = findings.note("database", answers(&state).await);
    }
    // Monitoring programs expect this single word.
    if findings.is_in_order() {
        return Json(HealthResponse { status: "healthy" }).into_response();
    }
    findings.problem(&problem::DATABASE_UNAVAILABLE)
}

/// Check that the instance is ready: not stopping, with a matching schema and a writable database
#[utoipa::path(
    get,
    path = "/ready",
    tag = "health",
    responses(
        (status = 200, description = "The instance accepts requests", body = ReadyResponse),
        (status = 503, description = "The instance should not receive requests for now; `detail` says why", content_type = "application/problem+json", body = UnhealthyBody),
    )
)]
async fn ready(State(state): State<Health>) -> Response {
    let mut findings = Findings::default();
    // A stopping instance answers immediately, without a database check.
    let is_stopping = state.draining.has_begun();
    let serving = if is_stopping { Err(Reason("The instance is stopping".to_owned())) } else { Ok(()) };
    if findings.note("serving", serving).is_ok() {
        findings.0.extend(cached_check(&state).await.0);
        if findings.is_in_order() {
            findings.0.extend(cached_host_check(&state).await.0);
        }
    }
    if findings.is_in_order() {
        return Json(ReadyResponse { status: "ready", checks: findings.0 }).into_response();
    }
    findings.problem(&NOT_READY)
}

/// Checks the database.
async fn cached_check(state: &Health) -> Findings {
    let check = async {
        let mut findings = Findings::default();
        // A failure is among the findings.
        let _ = look(state, &mut findings).await;
        findings
    };
    cached(&state.last_look, state.accounts.clock(), check).await
}

/// Makes all checks of the host at the same time.
async fn cached_host_check(state: &Health) -> Findings {
    let check = async {
        let outcomes = join_all(state.host_checks.iter().map(ReadinessCheck::begin)).await;
        let mut findings = Findings::default();
        for (check, outcome) in state.host_checks.iter().zip(outcomes) {
            let outcome = outcome.unwrap_or_else(|_| Err("It takes too long".to_owned()));
            let outcome = outcome.map_err(|reason| {
                tracing::warn!(check = check.name(), reason, "not ready");
                Reason(reason)
            });
            // A failure is among the findings.
            let _ = findings.note(check.name(), outcome);
        }
        findings
    };
    cached(&state.last_host_look, state.accounts.clock(), check).await
}

/// Returns the findings of the last check, or those of a new one.
async fn cached(last: &LastCheck, clock: &dyn Clock, check: impl Future<Output = Findings>) -> Findings {
    let mut last_look = last.0.lock().await;
    if let Some((at, found)) = &*last_look
        && clock.now().duration_since(*at).abs() < LOOK_KEPT
    {
        return found.clone();
    }
    let findings = check.await;
    *last_look = Some((clock.now(), findings.clone()));
    findings
}

/// Stops at the first failed check: a database that does not answer has no schema to check.
async fn look(state: &Health, findings: &mut Findings) -> Result<(), ()> {
    let db = state.accounts.db();
    findings.note("database", answers(state).await)?;
    let schema = (state.check)(db).await.map_err(|found| match found {
        SchemaProblem::Db(error) => withheld(&error, "Database unavailable"),
        problem => Reason(problem.to_string()),
    });
    let is_expanded = matches!(schema, Ok(Usable::Expanded));
    findings.note("schema", schema.map(|_| ()))?;
    if is_expanded {
        schema::tell_of_expansion();
    }
    let written = db.check_writable().await;
    findings.note("database_write", written.map_err(|error| withheld(&error, "The database cannot be written")))
}

async fn answers(state: &Health) -> Result<(), Reason> {
    state.accounts.db().ping().await.map_err(|error| withheld(&error, "Database unavailable"))
}
