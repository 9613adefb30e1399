//! Parses the id in a path into its type.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;

use uuid::Uuid;

use super::problem::{FieldFault, Place, Problem};
use crate::model::{InvalidId, UserId};

/// An id type that can appear in a path.
pub trait PathParameter: FromStr<Err = InvalidId> + From<Uuid> {
    /// The parameter's name in the route.
    const NAME: &'static str;
}

impl PathParameter for UserId {
    const NAME: &'static str = "user_id";
}

/// The id in the path. A whole number, as other systems use, counts as an id that does not exist, so that the response and the
/// order of checks are those of any unknown id. Any other text is a 422 that names the parameter.
///
/// ```
/// use axum::extract::State;
/// use countersign::Accounts;
/// use countersign::http::path::PathId;
/// use countersign::http::problem::{Problem, USER_NOT_FOUND};
/// use countersign::model::UserId;
///
/// async fn name(State(accounts): State<Accounts>, PathId(id): PathId<UserId>) -> Result<String, Problem> {
///     let profile = accounts.find_profile(id).await?.ok_or_else(|| Problem::new(&USER_NOT_FOUND))?;
///     Ok(profile.username)
/// }
/// # let _ = axum::Router::<Accounts>::new().route("/users/{user_id}/name", axum::routing::get(name));
/// ```
pub struct PathId<T>(pub T);

impl<T: PathParameter, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // A segment that is not UTF-8 is not an id either.
        let parameters = RawPathParams::from_request_parts(parts, state).await.ok();
        let text = parameters.iter().flatten().find_map(|(name, text)| (name == T::NAME).then_some(text));
        match text.ok_or(InvalidId).and_then(T::from_str) {
            Ok(id) => Ok(Self(id)),
            Err(_) if text.is_some_and(is_whole_number) => Ok(Self(T::from(Uuid::nil()))),
            Err(invalid) => Err(Problem::fields(vec![FieldFault::new(Place::Path, T::NAME, invalid.into())])),
        }
    }
}

/// Whether the text is decimal digits, of any length.
fn is_whole_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
