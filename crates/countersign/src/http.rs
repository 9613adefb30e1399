//! Decides how the accounts speak HTTP: one file per URL resource, and what their requests and answers share.

mod client;
mod cookie;
pub mod current_user;
mod email;
pub mod fields;
mod password;
pub mod path;
pub mod problem;
mod sessions;
mod token;
pub mod users;
pub mod well_known;

use axum::Json;
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::Accounts;
use crate::config::HttpPolicy;

/// The JSON API of the accounts, with its description, to be nested under `/api`.
///
/// It refuses bodies larger than the policy says; a host's routes merged into it set a limit of their own.
pub fn routes<S>(policy: &HttpPolicy) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::with_openapi(SharedSchemas::openapi())
        .merge(email::routes())
        .merge(password::routes())
        .merge(sessions::routes())
        .merge(token::routes())
        .merge(users::routes())
        .layer(DefaultBodyLimit::max(policy.body_bytes_max))
        .merge(users::bodiless_routes())
}

/// The schemas that a set of responses such as `BodyProblems` refers to: it can name them, but not bring them along.
#[derive(OpenApi)]
#[openapi(components(schemas(problem::ProblemBody, problem::FieldProblemBody)))]
struct SharedSchemas;

/// The same as a plain router with its state, for a host that has an OpenAPI document of its own or none.
pub fn router<S>(accounts: &Accounts) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    routes(&accounts.config().http).with_state(accounts.clone()).split_for_parts().0
}

/// Where users without a profile picture have theirs.
const DEFAULT_PICTURE_PATH: &str = "/static/profile_pics/default.jpg";
const DEFAULT_PICTURE: &[u8] = include_bytes!("../assets/default.jpg");

/// The files that answers of the API refer to, to be merged at the root.
pub fn static_files<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let headers = [(CONTENT_TYPE, "image/jpeg"), (CACHE_CONTROL, "public, max-age=86400")];
    Router::new().route(DEFAULT_PICTURE_PATH, get(move || async move { (headers, DEFAULT_PICTURE) }))
}

/// An answer that no cache may keep, because it is meant for one person.
struct Private<T>(T);

impl<T: Serialize> IntoResponse for Private<T> {
    fn into_response(self) -> Response {
        ([NO_STORE], Json(self.0)).into_response()
    }
}

/// What has been done, in words for people.
#[derive(Serialize, ToSchema)]
struct MessageResponse {
    message: &'static str,
}

fn message(text: &'static str) -> Private<MessageResponse> {
    Private(MessageResponse { message: text })
}

const NO_STORE: (HeaderName, &str) = (CACHE_CONTROL, "no-store");
