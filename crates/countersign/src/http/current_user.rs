//! Decides who is calling: the user of the access token in the `Authorization` header (RFC 6750, section 2.1).

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::problem::{INVALID_TOKEN, NOT_AUTHENTICATED, Problem};
use crate::Accounts;
use crate::model::User;

/// The user who is calling; a request without a valid access token is a 401.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CurrentUser {
    /// The user, as the database has them now.
    pub user: User,
}

impl<S> FromRequestParts<S> for CurrentUser
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer_token(parts).ok_or_else(|| Problem::new(&NOT_AUTHENTICATED))?;
        let user = Accounts::from_ref(state).verify_access_token(token).await?;
        user.map(|user| Self { user }).ok_or_else(|| Problem::new(&INVALID_TOKEN))
    }
}

/// What follows the scheme `Bearer`, in any letter case. Two headers contradict one another: then there is none.
fn bearer_token(parts: &Parts) -> Option<&str> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return None;
    };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
