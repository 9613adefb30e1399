//! Decides whether the instance is alive, and whether it should get requests.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Json;
use axum::extract::State;
use countersign::http::problem::{self, Problem, ProblemBody};
use countersign_db::Db;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Draining, NOT_READY};
use crate::Host;
use crate::schema::{self, SchemaProblem, Usable};

type Checked<'a> = Pin<Box<dyn Future<Output = Result<Usable, SchemaProblem>> + Send + 'a>>;
type SchemaCheck = for<'a> fn(&'a Db) -> Checked<'a>;

#[derive(Clone)]
pub(super) struct Health {
    pub(super) db: Db,
    /// Compares the schema with that of the host.
    pub(super) check: SchemaCheck,
    pub(super) draining: Draining,
    /// It has been said in the log that a newer program extended the schema.
    pub(super) expansion_is_told: Arc<AtomicBool>,
}

pub(super) fn check<H: Host>(db: &Db) -> Checked<'_> {
    Box::pin(schema::check::<H>(db))
}

pub(super) fn routes() -> OpenApiRouter<Health> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready))
}

/// How the instance is.
#[derive(Serialize, ToSchema)]
struct HealthResponse {
    /// `healthy` or `ready`
    #[schema(example = "healthy")]
    status: &'static str,
}

/// Whether the instance is alive and its database answers.
#[utoipa::path(
    get,
    path = "/health",
    tag = "health",
    responses(
        (status = 200, description = "The instance is alive and its database answers", body = HealthResponse),
        (status = 503, description = "The database does not answer", content_type = "application/problem+json", body = ProblemBody),
    )
)]
async fn health(State(state): State<Health>) -> Result<Json<HealthResponse>, Problem> {
    match state.db.ping().await {
        Ok(()) => Ok(Json(HealthResponse { status: "healthy" })),
        Err(error) => {
            tracing::warn!(error = &error as &(dyn std::error::Error + 'static), "the database does not answer");
            Err(Problem::new(&problem::DATABASE_UNAVAILABLE).detail("Database unavailable"))
        }
    }
}

/// Whether the instance should get requests: it can write its database, has the right schema and is not stopping.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "health",
    responses(
        (status = 200, description = "The instance takes requests", body = HealthResponse),
        (status = 503, description = "It should get none for now; `detail` says why", content_type = "application/problem+json", body = ProblemBody),
    )
)]
async fn ready(State(state): State<Health>) -> Result<Json<HealthResponse>, Problem> {
    let not_ready = |reason: String| Problem::new(&NOT_READY).detail(reason);
    if state.draining.has_begun() {
        return Err(not_ready("The instance is stopping".to_owned()));
    }
    let usable = (state.check)(&state.db).await.map_err(|found| match found {
        SchemaProblem::Db(error) => {
            tracing::warn!(
                error = &error as &(dyn std::error::Error + 'static),
                "the database's schema cannot be read"
            );
            not_ready("Database unavailable".to_owned())
        }
        problem => not_ready(problem.to_string()),
    })?;
    if usable == Usable::Expanded && !state.expansion_is_told.swap(true, Ordering::Relaxed) {
        tracing::info!("{}", schema::RUNS_ON);
    }
    state.db.check_writable().await.map_err(|error| {
        tracing::warn!(error = &error as &(dyn std::error::Error + 'static), "the database cannot be written");
        not_ready("The database cannot be written".to_owned())
    })?;
    Ok(Json(HealthResponse { status: "ready" }))
}
