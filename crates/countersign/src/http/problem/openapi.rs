//! Sets of problems for the OpenAPI descriptions of endpoints, by what the endpoint reads and requires.

use std::collections::BTreeMap;

use axum::http::header::RETRY_AFTER;
use utoipa::openapi::schema::{KnownFormat, SchemaFormat, Type};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::body::{FieldProblemBody, PROBLEM_JSON, ProblemBody, RATE_LIMIT, RATE_LIMIT_POLICY};
use super::kind::ProblemKind;
use super::kinds::{
    INTERNAL, INVALID_FIELDS, PAYLOAD_TOO_LARGE, TOO_MANY_REQUESTS, UNREADABLE_BODY, UNSUPPORTED_MEDIA_TYPE,
};

type Responses = BTreeMap<String, RefOr<utoipa::openapi::Response>>;

fn described<T: ToSchema>(
    content_type: &str,
    status: u16,
    description: &str,
) -> (String, RefOr<utoipa::openapi::Response>) {
    let schema = Ref::from_schema_name(T::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description(description).content(content_type, content).build();
    (status.to_string(), response.into())
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
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).build();
        let mut response = ResponseBuilder::new().description(TOO_MANY_REQUESTS.when).content(PROBLEM_JSON, content);
        let seconds = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
            .minimum(Some(1));
        let text = || ObjectBuilder::new().schema_type(Type::String);
        for (name, schema, description) in [
            (RETRY_AFTER, seconds, "When to retry, in seconds."),
            (RATE_LIMIT_POLICY, text(), "The limit: its name, the quota (`q`), and the window in seconds (`w`)."),
            (RATE_LIMIT, text(), "The remaining quota (`r`), and the seconds until it resets (`t`)."),
        ] {
            let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
            response = response.header(name.as_str(), header);
        }
        [(TOO_MANY_REQUESTS.status.to_string(), response.build().into())].into()
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
