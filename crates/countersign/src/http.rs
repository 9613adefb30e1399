//! The HTTP API of the accounts: one file per URL resource, plus what requests and responses share.
//!
//! A session cookie counts only in requests from the site's own pages, whatever the method, so other sites cannot reach a host's
//! routes behind [`CurrentUser`](current_user::CurrentUser), a WebSocket included. Scripts of other origins cannot read responses:
//! a host that serves a single-page application from another origin wraps these routes in a `tower_http::cors::CorsLayer`, with a
//! list of origins and without credentials, and its pages log in with tokens.

mod challenge;
mod client;
pub(crate) mod cookie;
pub mod current_user;
mod email;
pub mod fields;
mod media;
mod password;
pub mod path;
pub mod problem;
mod schemes;
mod sessions;
pub(crate) mod site;
mod token;
pub mod users;
pub mod well_known;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use self::problem::Problem;
use self::schemes::SecuritySchemes;
pub use self::site::{ContradictoryHosts, RequestHost};
use crate::config::HttpPolicy;
use crate::{Accounts, Tokens};

/// The JSON API of the accounts under `/api`, with its OpenAPI description.
///
/// Rejects bodies larger than the policy allows; routes that a host merges in set their own limit.
pub fn routes<S>(policy: &HttpPolicy) -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::with_openapi(SharedComponents::openapi())
        .merge(challenge::routes())
        .merge(email::routes())
        .merge(password::routes())
        .merge(sessions::routes())
        .merge(token::routes())
        .merge(users::routes())
        .layer(DefaultBodyLimit::max(policy.body_bytes_max))
        .merge(users::routes_without_body_limit())
}

/// Components that endpoint descriptions refer to by name but cannot include: the schemas of response sets such as `BodyProblems`,
/// and the security schemes.
#[derive(OpenApi)]
#[openapi(components(schemas(problem::ProblemBody, problem::FieldProblemBody)), modifiers(&SecuritySchemes))]
struct SharedComponents;

/// Serves the files that API responses refer to, to be merged at the root: profile pictures and the default picture.
pub fn static_files<S>(accounts: &Accounts) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    media::routes().with_state(accounts.clone())
}

/// A response meant for one person, which no cache may store.
struct Private<T>(T);

impl<T: Serialize> IntoResponse for Private<T> {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(BODY_BYTES);
        if serde_json::to_writer(&mut body, &self.0).is_err() {
            return Problem::new(&problem::INTERNAL).into_response();
        }
        let mut response = Response::new(Body::from(body));
        // With room for the headers that a server adds.
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        *response.headers_mut() = headers;
        response
    }
}

/// Initial capacity of a body, in bytes: more than most responses need.
const BODY_BYTES: usize = 512;
const HEADERS: usize = 12;

/// A message that confirms the action, for people.
#[derive(Serialize, ToSchema)]
struct MessageResponse {
    message: &'static str,
}

fn message(text: &'static str) -> Private<MessageResponse> {
    Private(MessageResponse { message: text })
}

/// Tokens (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
struct TokenResponse {
    /// A JWT, sent as `Authorization: Bearer <access_token>`.
    access_token: String,
    /// `bearer`
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// Lifetime of the access token, in seconds.
    #[schema(minimum = 0, example = 1800)]
    expires_in: i64,
    /// Can be exchanged once for new tokens.
    refresh_token: String,
    /// `account`: full access to the user's account.
    #[schema(example = "account")]
    scope: &'static str,
}

impl From<Tokens> for TokenResponse {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access_token.expose_secret().to_owned(),
            token_type: "bearer",
            expires_in: tokens.expires_in.as_secs(),
            refresh_token: tokens.refresh_token.expose_secret().to_owned(),
            scope: "account",
        }
    }
}
