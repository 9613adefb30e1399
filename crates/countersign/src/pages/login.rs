//! Pages for logging in and out.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::form::{Fault, Form};
use super::next::own_path;
use super::outcome::{Redirect, later};
use super::visitor::Visitor;
use crate::config::{LoginBy, RegistrationMode};
use crate::http::cookie;
use crate::http::fields::{Invalid, QueryFields};
use crate::http::problem::Problem;
use crate::model::{Password, Stay};
use crate::{LogIn, LogInError};

const HOME: &str = "/";
/// The "keep me logged in" checkbox.
const KEEP: &str = "keep";

pub(super) async fn show(visitor: Visitor, QueryFields(mut query): QueryFields) -> Response {
    let next = query.optional("next", |text| Ok::<_, Invalid>(text.to_owned())).ok().flatten();
    let next = next.as_deref().and_then(own_path);
    if visitor.caller.is_some() {
        return Redirect::path(next.unwrap_or(HOME)).into_response();
    }
    page(&visitor, StatusCode::OK, &Form::empty().with("next", next.unwrap_or_default()).with(KEEP, "yes"))
}

fn page(visitor: &Visitor, status: StatusCode, form: &Form) -> Response {
    let config = visitor.accounts().config();
    let own = crate::templates::context! {
        form => form.context(),
        by_username => config.login_by == LoginBy::EmailOrUsername,
        may_register => config.registration.mode != RegistrationMode::Closed,
    };
    visitor.page(status, "pages/login.html", own)
}

pub(super) async fn log_in(visitor: Visitor, mut form: Form) -> Result<Response, Problem> {
    let visitor = visitor.at("/login");
    let next = form.optional("next", |text| Ok::<_, Fault>(own_path(text).unwrap_or(HOME).to_owned())).flatten();
    let stay = stay(&mut form);
    let identifier = form.required("username", |text| Ok::<_, Fault>(text.to_owned()));
    let password = form.secret("password", |text| Ok::<_, Fault>(Password::presented(text)));
    let (Some(identifier), Some(password)) = (identifier, password) else {
        return Ok(page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form));
    };
    let accounts = visitor.accounts();
    let log_in = LogIn { identifier, password, stay, client: visitor.client.clone() };
    let (status, fault) = match accounts.log_in(log_in).await {
        Ok(outcome) => {
            if let Some(before) = &visitor.caller {
                accounts.end_session(before.user.id, before.session, &visitor.client).await?;
            }
            let to = Redirect::path(next.unwrap_or_else(|| HOME.to_owned()));
            return Ok(to.logged_in(&visitor, &outcome.into_tokens()).into_response());
        }
        Err(LogInError::TooMany(limited)) => {
            let fault = if limited.retry_after_seconds > 60 { Fault("fault-limited-login") } else { limited.into() };
            form.fault::<()>("", fault);
            return Ok(later(page(&visitor, StatusCode::TOO_MANY_REQUESTS, &form), &limited));
        }
        Err(LogInError::WrongCredentials) => (StatusCode::UNAUTHORIZED, "fault-credentials"),
        Err(LogInError::EmailNotVerified) => (StatusCode::FORBIDDEN, "fault-unverified"),
        Err(LogInError::Overloaded(_)) => (StatusCode::SERVICE_UNAVAILABLE, "fault-busy"),
        Err(LogInError::Internal(error)) => return Err(error.into()),
    };
    form.fault::<()>("", Fault(fault));
    Ok(page(&visitor, status, &form))
}

/// Reads how long the user stays logged in. Browsers send nothing for an unchecked box, so a hidden field says what that means; a
/// client that sends neither stays logged in.
fn stay(form: &mut Form) -> Stay {
    let mut read = |name| form.optional(name, |text| Ok::<_, Fault>(text.to_owned())).flatten();
    let (ticked, otherwise) = (read(KEEP), read("unless_kept"));
    match otherwise.as_deref().and_then(Stay::parse) {
        Some(otherwise) if ticked.is_none() => otherwise,
        _ => Stay::Kept,
    }
}

pub(super) async fn log_out(visitor: Visitor) -> Result<Response, Problem> {
    let accounts = visitor.accounts();
    if let Some(caller) = &visitor.caller {
        accounts.end_session(caller.user.id, caller.session, &visitor.client).await?;
    }
    Ok(Redirect::path(HOME).done(&visitor, "logged-out").cookies(cookie::clear(visitor.cookies())).into_response())
}
