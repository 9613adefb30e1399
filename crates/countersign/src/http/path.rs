//! The id in a path, read into its type.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use super::problem::{FieldFault, Place, Problem};
use crate::model::{InvalidId, UserId};

/// An id that can stand in a path.
pub trait PathParameter: FromStr<Err = InvalidId> {
    /// The parameter's name in the route.
    const NAME: &'static str;
}

impl PathParameter for UserId {
    const NAME: &'static str = "user_id";
}

/// The id in the path; any other text is a 422 that names the parameter.
pub struct PathId<T>(pub T);

impl<T: PathParameter, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // A segment that is not UTF-8 is no id either.
        let parameters = RawPathParams::from_request_parts(parts, state).await.ok();
        let text = parameters.iter().flatten().find_map(|(name, text)| (name == T::NAME).then_some(text));
        match text.ok_or(InvalidId).and_then(T::from_str) {
            Ok(id) => Ok(Self(id)),
            Err(invalid) => Err(Problem::fields(vec![FieldFault::new(Place::Path, T::NAME, invalid.into())])),
        }
    }
}
