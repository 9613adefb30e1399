//! Decides how sessions are ended by the account's page.

use axum::response::{IntoResponse as _, Response};

use super::outcome::To;
use super::visitor::Visitor;
use crate::http::path::PathId;
use crate::http::problem::{Problem, SESSION_NOT_FOUND};
use crate::model::SessionId;

pub(super) async fn end(visitor: Visitor, PathId(session): PathId<SessionId>) -> Result<Response, Problem> {
    let visitor = visitor.at("/account");
    let caller = match visitor.logged_in() {
        Ok(caller) => caller,
        Err(to_login) => return Ok(*to_login),
    };
    if visitor.accounts().end_session(caller.user.id, session, &visitor.client).await? {
        Ok(To::path("/account").done(&visitor, "session-ended").into_response())
    } else {
        Err(Problem::new(&SESSION_NOT_FOUND))
    }
}

pub(super) async fn end_others(visitor: Visitor) -> Result<Response, Problem> {
    let visitor = visitor.at("/account");
    let caller = match visitor.logged_in() {
        Ok(caller) => caller,
        Err(to_login) => return Ok(*to_login),
    };
    visitor.accounts().end_other_sessions(caller.user.id, caller.session, &visitor.client).await?;
    Ok(To::path("/account").done(&visitor, "others-ended").into_response())
}
