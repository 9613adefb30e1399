//! Errors as answers.

use axum::Json;
use axum::extract::multipart::MultipartError;
use axum::extract::rejection::{FormRejection, JsonRejection, PathRejection, QueryRejection};
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use thiserror::Error;
use validator::ValidationErrors;

#[derive(Debug, Error)]
pub(crate) enum AppError {
    #[error("{0}")]
    BadRequest(&'static str),
    #[error("{0}")]
    Unauthorized(&'static str),
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("{0}")]
    NotFound(&'static str),
    /// Each with the place, the field if there is one, and a message.
    #[error("the request is not valid")]
    Invalid(Vec<(&'static str, Option<String>, String)>),
    #[error("Database unavailable")]
    DatabaseUnavailable,
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl AppError {
    pub(crate) fn invalid(place: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![(place, None, message.into())])
    }

    pub(crate) fn invalid_fields(place: &'static str, errors: &ValidationErrors) -> Self {
        let fields = errors.field_errors().into_iter().flat_map(|(field, errors)| {
            errors.iter().map(move |error| (place, Some(field.to_string()), format!("not a valid {}", error.code)))
        });
        Self::Invalid(fields.collect())
    }
}

impl From<sqlx::Error> for AppError {
    fn from(error: sqlx::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<JsonRejection> for AppError {
    fn from(rejection: JsonRejection) -> Self {
        Self::invalid("body", rejection.body_text())
    }
}

impl From<FormRejection> for AppError {
    fn from(rejection: FormRejection) -> Self {
        Self::invalid("body", rejection.body_text())
    }
}

impl From<PathRejection> for AppError {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid("path", rejection.body_text())
    }
}

impl From<QueryRejection> for AppError {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid("query", rejection.body_text())
    }
}

impl From<MultipartError> for AppError {
    fn from(error: MultipartError) -> Self {
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::BadRequest("File too large. Maximum size is 5MB"),
            _ => Self::invalid("body", error.body_text()),
        }
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(detail) => {
                let body = Json(json!({ "detail": detail }));
                return (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, "Bearer")], body).into_response();
            }
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(errors) => {
                let detail: Vec<Value> = errors
                    .iter()
                    .map(|(place, field, message)| {
                        let loc: Vec<&str> = [*place].into_iter().chain(field.as_deref()).collect();
                        json!({ "type": "value_error", "loc": loc, "msg": message })
                    })
                    .collect();
                return (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "detail": detail }))).into_response();
            }
            Self::DatabaseUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(error) => {
                tracing::error!("{error:#}");
                let body = Json(json!({ "detail": "Internal Server Error" }));
                return (StatusCode::INTERNAL_SERVER_ERROR, body).into_response();
            }
        };
        (status, Json(json!({ "detail": self.to_string() }))).into_response()
    }
}
