//! Serves the style sheet, scripts and drawings: cacheable forever under the URL of their version, revalidated under any other.
//! While instances of two versions run at once, a page of one may fetch from the other.

use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::Accounts;
use crate::http::problem::{NOT_FOUND, Problem};

const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// An SVG that is opened directly is a document that could run scripts.
const NOTHING: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox");

pub(super) async fn file(State(accounts): State<Accounts>, Path((version, name)): Path<(String, String)>) -> Response {
    let assets = accounts.config().mail.templates.assets();
    let Some(asset) = assets.find(&name) else {
        return Problem::new(&NOT_FOUND).detail("Not Found").into_response();
    };
    let kept = if version == assets.version() { IMMUTABLE } else { REVALIDATE };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (CACHE_CONTROL, kept),
        (CONTENT_SECURITY_POLICY, NOTHING),
    ];
    (headers, asset.content.clone()).into_response()
}
