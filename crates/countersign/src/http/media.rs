//! Handlers of `/media` and the default picture's path: immutable pictures that every cache may store, every site may show, and no
//! browser executes. Separate from `users`, because no response here is JSON.

#[cfg(feature = "pictures")]
mod stored;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::problem::{NOT_FOUND, Problem};
use crate::Accounts;
use crate::config::DEFAULT_PICTURE_PATH;
use crate::media::default_picture;
use crate::model::UserId;

const DEFAULT_PICTURE: &[u8] = include_bytes!("../../assets/default.jpg");

/// Headers that keep browsers from executing the bytes, whatever they are.
const INERT: [(HeaderName, &str); 3] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Pictures are public, and another site may show a profile.
    (HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; sandbox; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
];

pub(super) fn routes() -> Router<Accounts> {
    let headers = [(CONTENT_TYPE, "image/jpeg"), (CACHE_CONTROL, "public, max-age=86400")];
    let routes = Router::new();
    #[cfg(feature = "pictures")]
    let routes = routes.route("/media/profile_pics/{file}", get(stored::picture));
    routes
        .route(DEFAULT_PICTURE_PATH, get(move || async move { (INERT, headers, DEFAULT_PICTURE) }))
        .route("/media/profile_pics/default/{file}", get(drawn_picture))
}

fn not_found() -> Problem {
    Problem::new(&NOT_FOUND).detail("Not Found")
}

/// The drawn picture of a user without one: `<id>.svg`.
async fn drawn_picture(State(accounts): State<Accounts>, Path(file): Path<String>) -> Result<Response, Problem> {
    let id: UserId = file.strip_suffix(".svg").and_then(|id| id.parse().ok()).ok_or_else(not_found)?;
    let profile = accounts.find_profile(id).await?.ok_or_else(not_found)?;
    let headers = [(CONTENT_TYPE, "image/svg+xml; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")];
    Ok((INERT, headers, default_picture(id.uuid(), &profile.username)).into_response())
}
