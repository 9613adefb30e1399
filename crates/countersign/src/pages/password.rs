//! Pages for replacing a forgotten password. The response to a request is the same whether or not the account exists.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use secrecy::SecretString;

use super::form::{ACCOUNT, Fault, Form};
use super::outcome::{Redirect, later, origin_only_referrer};
use super::shown::challenge;
use super::visitor::Visitor;
use crate::http::cookie;
use crate::http::fields::{Invalid, QueryFields};
use crate::http::problem::Problem;
use crate::model::{ChallengePurpose, ChallengeSolution, EmailAddress, Password};
use crate::templates::context;
use crate::{ForgotPasswordError, ResetPasswordError};

pub(super) async fn show_forgot(visitor: Visitor) -> Response {
    let email = visitor.user().map(|user| user.email.clone()).unwrap_or_default();
    forgot_page(&visitor, StatusCode::OK, &Form::empty().with("email", email))
}

fn forgot_page(visitor: &Visitor, status: StatusCode, form: &Form) -> Response {
    let own = context! {
        form => form.context(),
        challenge => challenge(visitor.accounts(), ChallengePurpose::ForgotPassword),
    };
    visitor.page(status, "pages/forgot_password.html", own)
}

pub(super) async fn forget(visitor: Visitor, mut form: Form) -> Result<Response, Problem> {
    let Some(address) = form.required("email", EmailAddress::parse) else {
        return Ok(forgot_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form));
    };
    let solution = form.optional("challenge_solution", |text| Ok::<_, Fault>(ChallengeSolution::presented(text)));
    match visitor.accounts().forgot_password(&address, solution.flatten().as_ref(), &visitor.client).await {
        Ok(()) => Ok(Redirect::path("/forgot-password").done(&visitor, "reset-sent").into_response()),
        Err(ForgotPasswordError::ChallengeRequired(_)) => {
            form.fault::<()>("", Fault("fault-challenge"));
            Ok(forgot_page(&visitor, StatusCode::FORBIDDEN, &form))
        }
        Err(ForgotPasswordError::TooMany(limited)) => {
            form.fault::<()>("", limited.into());
            Ok(later(forgot_page(&visitor, StatusCode::TOO_MANY_REQUESTS, &form), &limited))
        }
        Err(ForgotPasswordError::Internal(error)) => Err(error.into()),
    }
}

pub(super) async fn show_reset(visitor: Visitor, QueryFields(mut query): QueryFields) -> Result<Response, Problem> {
    let token = query.optional("token", |text| Ok::<_, Invalid>(text.to_owned())).ok().flatten().unwrap_or_default();
    let account = visitor.accounts().find_reset_address(&token.clone().into()).await?;
    let form = Form::empty().with(ACCOUNT, account.as_ref().map_or("", EmailAddress::as_str)).with("token", token);
    Ok(reset_page(&visitor, StatusCode::OK, &form))
}

fn reset_page(visitor: &Visitor, status: StatusCode, form: &Form) -> Response {
    origin_only_referrer(visitor.page(status, "pages/reset_password.html", context! { form => form.context() }))
}

pub(super) async fn reset(visitor: Visitor, mut form: Form) -> Result<Response, Problem> {
    let visitor = visitor.at("/reset-password");
    form.keep(ACCOUNT);
    let token = form.required("token", |text| Ok::<_, Fault>(SecretString::from(text)));
    let new = form.secret("new_password", Password::choose);
    let Some(token) = token else {
        let mut form = Form::empty().with("token", "");
        form.fault::<()>("", Fault("fault-reset-token"));
        return Ok(reset_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form));
    };
    let Some(new) = new else {
        return Ok(reset_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form));
    };
    match visitor.accounts().reset_password(&token, new, &visitor.client).await {
        Ok(device) => {
            let device = cookie::set_device(visitor.cookies(), &device);
            Ok(Redirect::path("/login").done(&visitor, "password-reset").cookies(device).into_response())
        }
        Err(ResetPasswordError::TooMany(limited)) => {
            form.fault::<()>("", limited.into());
            Ok(later(reset_page(&visitor, StatusCode::TOO_MANY_REQUESTS, &form), &limited))
        }
        Err(ResetPasswordError::InvalidToken) => {
            let mut form = Form::empty().with("token", "");
            form.fault::<()>("", Fault("fault-reset-token"));
            Ok(reset_page(&visitor, StatusCode::BAD_REQUEST, &form))
        }
        Err(ResetPasswordError::CommonPassword) => {
            form.fault::<()>("new_password", Fault("fault-password-common"));
            Ok(reset_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form))
        }
        Err(ResetPasswordError::Overloaded(_)) => {
            form.fault::<()>("", Fault("fault-busy"));
            Ok(reset_page(&visitor, StatusCode::SERVICE_UNAVAILABLE, &form))
        }
        Err(ResetPasswordError::Internal(error)) => Err(error.into()),
    }
}
