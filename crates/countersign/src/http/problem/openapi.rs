//! The problems that the OpenAPI description of an endpoint lists, in sets by what the endpoint reads and asks for.

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

/// For the description of an endpoint that asks who is calling.
pub struct AuthenticationProblems;

impl IntoResponses for AuthenticationProblems {
    fn responses() -> Responses {
        [
            described::<ProblemBody>(PROBLEM_JSON, 401, "`Not authenticated`, or `Invalid or expired token`"),
            described::<ProblemBody>(PROBLEM_JSON, 403, "`Request from another site`: only with a session cookie"),
        ]
        .into()
    }
}

/// For the description of an endpoint that has parameters in its path or query.
pub struct ParameterProblems;

impl IntoResponses for ParameterProblems {
    fn responses() -> Responses {
        [field_problem()].into()
    }
}

/// For the description of an endpoint that reads a JSON body.
pub struct BodyProblems;

impl IntoResponses for BodyProblems {
    fn responses() -> Responses {
        [problem(&UNREADABLE_BODY), problem(&PAYLOAD_TOO_LARGE), problem(&UNSUPPORTED_MEDIA_TYPE), field_problem()]
            .into()
    }
}

/// For the description of an endpoint that is limited.
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
            (RETRY_AFTER, seconds, "When to try again, in seconds."),
            (RATE_LIMIT_POLICY, text(), "The limit: its name, how often (`q`), in how many seconds (`w`)."),
            (RATE_LIMIT, text(), "What is left of it (`r`), and for how many seconds (`t`)."),
        ] {
            let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
            response = response.header(name.as_str(), header);
        }
        [(TOO_MANY_REQUESTS.status.to_string(), response.build().into())].into()
    }
}

/// For the description of every endpoint: what can break that the client did not cause.
pub struct ServiceProblems;

impl IntoResponses for ServiceProblems {
    fn responses() -> Responses {
        [
            problem(&INTERNAL),
            described::<ProblemBody>(PROBLEM_JSON, 503, "Not at the moment; `Retry-After` says when to try again."),
        ]
        .into()
    }
}
