//! The response of a problem: its body, status and headers.

use axum::Json;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::faults::{ChallengeResponse, FieldFault};
use super::{Demand, Detail, Problem, ProblemKind, Remedy};
use crate::TooManyAttempts;

/// The media type of a problem (RFC 9457, section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The media type in which OAuth clients expect errors (RFC 6749, section 5.2).
pub(super) const JSON: &str = "application/json";

/// How long clients should wait before a retry after an error of the database or the hashing pool, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

/// A problem on the wire (RFC 9457, section 3.1).
#[derive(Serialize, ToSchema)]
pub struct ProblemBody {
    /// A link to the description of the kind of problem.
    #[schema(example = "/problems#not_found")]
    r#type: String,
    /// A short name of the kind of problem.
    title: &'static str,
    /// The response's status code.
    status: u16,
    /// What is wrong with this request, for people.
    detail: String,
    /// The kind of problem, for programs.
    #[schema(example = "not_found")]
    code: &'static str,
    /// At OAuth endpoints: the error code (RFC 6749, section 5.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<&'static str>,
    /// At OAuth endpoints: the same text as `detail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error_description: Option<String>,
    /// With `challenge_required`: a challenge to solve.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    challenge: Option<ChallengeResponse>,
}

/// A problem with the request's fields; `detail` has one item for each error.
#[derive(Serialize, ToSchema)]
pub struct FieldProblemBody {
    /// A link to the description of the kind of problem.
    #[schema(example = "/problems#invalid_fields")]
    r#type: String,
    /// A short name of the kind of problem.
    title: &'static str,
    /// The response's status code.
    status: u16,
    /// The errors, each with its field.
    #[schema(min_items = 1)]
    detail: Vec<FieldFault>,
    /// The kind of problem, for programs.
    #[schema(example = "invalid_fields")]
    code: &'static str,
    /// At OAuth endpoints: the error code (RFC 6749, section 5.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<&'static str>,
    /// At OAuth endpoints: all errors in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error_description: Option<String>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { kind, detail, oauth: error, demand, way_out } = self;
        let (limited, challenge, accepted) = match way_out.map(|way_out| *way_out) {
            None => (None, None, None),
            Some(Remedy::Wait(limited)) => (Some(limited), None, None),
            Some(Remedy::Work(challenge)) => (None, Some(challenge), None),
            Some(Remedy::Unencoded) => (None, None, Some((ACCEPT_ENCODING, HeaderValue::from_static("identity")))),
        };
        let ProblemKind { code, status, title, .. } = *kind;
        let r#type = format!("/problems#{code}");
        let mut response = match detail {
            Detail::Fields(detail) => {
                let error_description =
                    error.map(|_| detail.iter().map(FieldFault::in_words).collect::<Vec<_>>().join("; "));
                Json(FieldProblemBody { r#type, title, status, detail, code, error, error_description }).into_response()
            }
            Detail::Title | Detail::Text(_) => {
                let detail = match detail {
                    Detail::Text(text) => text,
                    _ => title.to_owned(),
                };
                let error_description = error.map(|_| detail.clone());
                let content_type = if error.is_some() { JSON } else { PROBLEM_JSON };
                let body =
                    Json(ProblemBody { r#type, title, status, detail, code, error, error_description, challenge });
                ([(CONTENT_TYPE, content_type)], body).into_response()
            }
        };
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            401 => {
                for challenge in demand.challenges() {
                    headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
                }
            }
            503 => drop(headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS))),
            _ => {}
        }
        headers.extend(limited.iter().flat_map(limit_headers).chain(accepted));
        response
    }
}

impl Demand {
    /// One challenge for each accepted scheme.
    fn challenges(self) -> &'static [&'static str] {
        match self {
            Self::AccessToken => &["Bearer"],
            Self::AnotherToken => &[ANOTHER_TOKEN],
            Self::ServiceSecret => &["Bearer", BASIC],
            Self::ServicePassword => &[BASIC],
        }
    }
}

/// Only if a token was sent: a request without one learns only the scheme (RFC 6750, section 3).
const ANOTHER_TOKEN: &str = "Bearer error=\"invalid_token\", error_description=\"Invalid or expired token\"";
/// The client's id and the service's secret, in UTF-8 (RFC 7617, section 2.1).
const BASIC: &str = "Basic realm=\"introspection\", charset=\"UTF-8\"";

/// Returns the headers that say when to retry (RFC 9110, section 10.2.3), and which limit was hit
/// (draft-ietf-httpapi-ratelimit-headers).
pub(crate) fn limit_headers(limited: &TooManyAttempts) -> [(HeaderName, HeaderValue); 3] {
    let TooManyAttempts { policy, quota, window_seconds, retry_after_seconds } = limited;
    let text = |text: String| HeaderValue::try_from(text).expect("names of limits are letters and hyphens");
    [
        (RETRY_AFTER, HeaderValue::from(*retry_after_seconds)),
        (RATE_LIMIT_POLICY, text(format!("\"{policy}\";q={quota};w={window_seconds}"))),
        (RATE_LIMIT, text(format!("\"{policy}\";r=0;t={retry_after_seconds}"))),
    ]
}

pub(super) const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
pub(super) const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
