//! The registration page; it also logs in a user whose account is created at once.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::form::{Fault, Form};
use super::next::in_query;
use super::outcome::{Redirect, later};
use super::shown::challenge;
use super::visitor::Visitor;
use crate::config::RegistrationMode;
use crate::http::fields::{Invalid, QueryFields};
use crate::http::problem::Problem;
use crate::model::{ChallengePurpose, ChallengeSolution, EmailAddress, InvalidPassword, Password, Stay, Username};
use crate::templates::context;
use crate::{LogIn, LogInError, Register, RegisterError, Registered};

pub(super) async fn show(visitor: Visitor, QueryFields(mut query): QueryFields) -> Response {
    if visitor.caller.is_some() {
        return Redirect::path("/account").into_response();
    }
    let invitation = query.optional("invitation", |text| Ok::<_, Invalid>(text.to_owned())).ok().flatten();
    page(&visitor, StatusCode::OK, &Form::empty().with("invitation", invitation.unwrap_or_default()))
}

fn page(visitor: &Visitor, status: StatusCode, form: &Form) -> Response {
    let mode = visitor.accounts().config().registration.mode;
    let own = context! {
        form => form.context(),
        closed => mode == RegistrationMode::Closed,
        invited => mode == RegistrationMode::Invite,
        challenge => challenge(visitor.accounts(), ChallengePurpose::Register),
    };
    visitor.page(status, "pages/register.html", own)
}

pub(super) async fn register(visitor: Visitor, mut form: Form) -> Result<Response, Problem> {
    let visitor = visitor.at("/register");
    let invitation = form.optional("invitation", |text| Ok::<_, Fault>(text.to_owned()));
    let solution = form.optional("challenge_solution", |text| Ok::<_, Fault>(ChallengeSolution::presented(text)));
    let username = form.required("username", Username::parse);
    let email = form.required("email", EmailAddress::parse);
    let password =
        form.secret("password", |text| Ok::<_, InvalidPassword>((Password::choose(text)?, Password::presented(text))));
    let (Some(invitation), Some(username), Some(email), Some((password, again))) =
        (invitation, username, email, password)
    else {
        return Ok(page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form));
    };
    let accounts = visitor.accounts();
    let (client, address) = (visitor.client.clone(), email.as_str().to_owned());
    let register = Register {
        username,
        email,
        password,
        invitation: invitation.map(Into::into),
        challenge_solution: solution.flatten(),
        client,
    };
    let (status, name, fault) = match accounts.register(register).await {
        Ok(Registered::User(_)) => return welcome(&visitor, address, again).await,
        Ok(Registered::AwaitsProof) => {
            let to = Redirect::path(format!("/verify-email?email={}", in_query(&address)));
            return Ok(to.done(&visitor, "verification-sent").into_response());
        }
        Err(RegisterError::UsernameTaken) => (StatusCode::BAD_REQUEST, "username", "fault-username-taken"),
        Err(RegisterError::EmailTaken) => (StatusCode::BAD_REQUEST, "email", "fault-email-taken"),
        Err(RegisterError::CommonPassword) => (StatusCode::UNPROCESSABLE_ENTITY, "password", "fault-password-common"),
        Err(RegisterError::InvalidInvitation) => (StatusCode::FORBIDDEN, "invitation", "fault-invitation"),
        Err(RegisterError::ChallengeRequired(_)) => (StatusCode::FORBIDDEN, "", "fault-challenge"),
        Err(RegisterError::Closed) => (StatusCode::FORBIDDEN, "", "fault-registration-closed"),
        Err(RegisterError::TooMany(limited)) => {
            form.fault::<()>("", limited.into());
            return Ok(later(page(&visitor, StatusCode::TOO_MANY_REQUESTS, &form), &limited));
        }
        Err(RegisterError::Overloaded(_)) => (StatusCode::SERVICE_UNAVAILABLE, "", "fault-busy"),
        Err(RegisterError::Internal(error)) => return Err(error.into()),
    };
    form.fault::<()>(name, Fault(fault));
    Ok(page(&visitor, status, &form))
}

async fn welcome(visitor: &Visitor, identifier: String, password: Password) -> Result<Response, Problem> {
    let accounts = visitor.accounts();
    let log_in = LogIn { identifier, password, stay: Stay::Kept, client: visitor.client.clone() };
    match accounts.log_in(log_in).await {
        Ok(outcome) => {
            if let Some(before) = &visitor.caller {
                accounts.end_session(before.user.id, before.session, &visitor.client).await?;
            }
            Ok(Redirect::path("/")
                .done(visitor, "registered")
                .logged_in(visitor, &outcome.into_tokens())
                .into_response())
        }
        Err(LogInError::Internal(error)) => Err(error.into()),
        // The account exists even if the login fails.
        Err(_) => Ok(Redirect::path("/login").done(visitor, "registered-verified").into_response()),
    }
}
