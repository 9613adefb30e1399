//! axum's extractors with this application's errors, and with validated bodies.

use axum::extract::{FromRequest, FromRequestParts, Request};
use serde::de::DeserializeOwned;
use validator::Validate;

use crate::error::AppError;

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(AppError))]
pub(crate) struct Path<T>(pub(crate) T);

#[derive(FromRequest)]
#[from_request(via(axum::extract::Form), rejection(AppError))]
pub(crate) struct Form<T>(pub(crate) T);

/// A query that passed its validation.
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Validate> FromRequestParts<S> for Query<T> {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, AppError> {
        let axum::extract::Query(value) = axum::extract::Query::<T>::from_request_parts(parts, state).await?;
        value.validate().map_err(|errors| AppError::invalid_fields("query", &errors))?;
        Ok(Self(value))
    }
}

/// A JSON body that passed its validation.
pub(crate) struct Json<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Validate> FromRequest<S> for Json<T> {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &S) -> Result<Self, AppError> {
        let axum::Json(value) = axum::Json::<T>::from_request(request, state).await?;
        value.validate().map_err(|errors| AppError::invalid_fields("body", &errors))?;
        Ok(Self(value))
    }
}
