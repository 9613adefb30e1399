//! Sets of problems for the OpenAPI descriptions of endpoints, by what the endpoint reads and requires.

use std::collections::BTreeMap;

use axum::http::HeaderName;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use utoipa::openapi::schema::{KnownFormat, SchemaFormat, Type};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::body::{FieldProblemBody, PROBLEM_JSON, ProblemBody, RATE_LIMIT, RATE_LIMIT_POLICY};
use super::kind::ProblemKind;
use super::kinds::{
    INTERNAL, INVALID_FIELDS, PAYLOAD_TOO_LARGE, TOO_MANY_REQUESTS, UNREADABLE_BODY, UNSUPPORTED_MEDIA_TYPE,
};

type Responses = BTreeMap<String, RefOr<utoipa::openapi::Response>>;

/// Describes a problem and the headers that every problem of this status has.
fn described<T: ToSchema>(
    content_type: &str,
    status: u16,
    description: &str,
) -> (String, RefOr<utoipa::openapi::Response>) {
    let schema = Ref::from_schema_name(T::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let mut response = ResponseBuilder::new().description(description).content(content_type, content);
    for (name, schema, description) in headers(status) {
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
        response = response.header(name.as_str(), header);
    }
    (status.to_string(), response.build().into())
}

fn headers(status: u16) -> Vec<(HeaderName, ObjectBuilder, &'static str)> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let seconds = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .minimum(Some(1));
    let retry = (RETRY_AFTER, seconds, "When to retry, in seconds.");
    match status {
        401 => vec![(WWW_AUTHENTICATE, text(), "The accepted schemes (RFC 9110, section 11.6.1).")],
        429 => vec![
            retry,
            (RATE_LIMIT_POLICY, text(), "The limit: its name, the quota (`q`), and the window in seconds (`w`)."),
            (RATE_LIMIT, text(), "The remaining quota (`r`), and the seconds until it resets (`t`)."),
        ],
        503 => vec![retry],
        _ => Vec::new(),
    }
}

fn problem(kind: &ProblemKind) -> (String, RefOr<utoipa::openapi::Response>) {
    described::<ProblemBody>(PROBLEM_JSON, kind.status, kind.when)
}

fn field_problem() -> (String, RefOr<utoipa::openapi::Response>) {
    described::<FieldProblemBody>("application/json", INVALID_FIELDS.status, INVALID_FIELDS.when)
}

/// For endpoints that require authentication.
pub struct AuthenticationProblems;

impl IntoResponses for AuthenticationProblems {
    fn responses() -> Responses {
        [
            described::<ProblemBody>(PROBLEM_JSON, 401, "`Not authenticated`, or `Invalid or expired token`"),
            described::<ProblemBody>(PROBLEM_JSON, 403, "`Request from another site`; only with a session cookie"),
        ]
        .into()
    }
}

/// For endpoints with parameters in the path or query.
pub struct ParameterProblems;

impl IntoResponses for ParameterProblems {
    fn responses() -> Responses {
        [field_problem()].into()
    }
}

/// For endpoints that read a JSON body.
pub struct BodyProblems;

impl IntoResponses for BodyProblems {
    fn responses() -> Responses {
        [problem(&UNREADABLE_BODY), problem(&PAYLOAD_TOO_LARGE), problem(&UNSUPPORTED_MEDIA_TYPE), field_problem()]
            .into()
    }
}

/// For endpoints with a rate limit.
pub struct LimitProblems;

impl IntoResponses for LimitProblems {
    fn responses() -> Responses {
        [problem(&TOO_MANY_REQUESTS)].into()
    }
}

/// For every endpoint: errors that the client did not cause.
pub struct ServiceProblems;

impl IntoResponses for ServiceProblems {
    fn responses() -> Responses {
        [
            problem(&INTERNAL),
            described::<ProblemBody>(PROBLEM_JSON, 503, "Temporarily unavailable; `Retry-After` says when to retry."),
        ]
        .into()
    }
}
