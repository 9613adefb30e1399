//! Forms of the account page that end sessions.

use axum::response::{IntoResponse as _, Response};

use super::outcome::Redirect;
use super::visitor::LoggedIn;
use crate::http::path::PathId;
use crate::http::problem::{Problem, SESSION_NOT_FOUND};
use crate::model::SessionId;

pub(super) async fn end(
    LoggedIn { visitor, caller }: LoggedIn,
    PathId(session): PathId<SessionId>,
) -> Result<Response, Problem> {
    if visitor.accounts().end_session(caller.user.id, session, &visitor.client).await? {
        Ok(Redirect::path("/account").done(&visitor, "session-ended").into_response())
    } else {
        Err(Problem::new(&SESSION_NOT_FOUND))
    }
}

pub(super) async fn end_others(LoggedIn { visitor, caller }: LoggedIn) -> Result<Response, Problem> {
    visitor.accounts().end_other_sessions(caller.user.id, caller.session, &visitor.client).await?;
    Ok(Redirect::path("/account").done(&visitor, "others-ended").into_response())
}
