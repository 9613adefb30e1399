//! Decides who is calling: the user of the access token in the `Authorization` header (RFC 6750, section 2.1).

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jiff::Timestamp;

use super::problem::{INVALID_TOKEN, NOT_AUTHENTICATED, Problem, REAUTHENTICATION_REQUIRED};
use crate::Accounts;
use crate::model::{Authenticated, SessionId, User};

/// The user who is calling; a request without a valid access token is a 401.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CurrentUser {
    /// The user, as the database has them now.
    pub user: User,
    /// The session by which they call.
    pub session: SessionId,
    /// When the password was last given in this session.
    pub authenticated_at: Timestamp,
}

impl<S> FromRequestParts<S> for CurrentUser
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let token = bearer_token(&parts.headers).ok_or_else(|| Problem::new(&NOT_AUTHENTICATED))?;
        let found = Accounts::from_ref(state).verify_access_token(token).await?;
        let Authenticated { user, session, authenticated_at } = found.ok_or_else(|| Problem::new(&INVALID_TOKEN))?;
        Ok(Self { user, session, authenticated_at })
    }
}

/// The user who is calling, if any; a token that is not valid is a 401 all the same.
#[derive(Clone, Debug)]
pub struct OptionalUser(pub Option<CurrentUser>);

impl<S> FromRequestParts<S> for OptionalUser
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if bearer_token(&parts.headers).is_none() {
            return Ok(Self(None));
        }
        Ok(Self(Some(CurrentUser::from_request_parts(parts, state).await?)))
    }
}

/// The user who is calling and has given the password lately. Acts need that which must not be done by whoever finds an
/// open laptop; otherwise the answer is 403 with the code `reauthentication_required`.
#[derive(Clone, Debug)]
pub struct RecentlyAuthenticated(pub CurrentUser);

impl<S> FromRequestParts<S> for RecentlyAuthenticated
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = CurrentUser::from_request_parts(parts, state).await?;
        require_recent(&Accounts::from_ref(state), &caller)?;
        Ok(Self(caller))
    }
}

/// For acts of which only some need a recent login.
pub(super) fn require_recent(accounts: &Accounts, caller: &CurrentUser) -> Result<(), Problem> {
    if accounts.is_recent(caller.authenticated_at) { Ok(()) } else { Err(Problem::new(&REAUTHENTICATION_REQUIRED)) }
}

/// What follows the scheme `Bearer`, in any letter case. Two headers contradict one another: then there is none.
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut headers = headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return None;
    };
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
