//! Pages that links in mails lead to. Following a link only shows a button, so that a link scanner does not use up the token.

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use secrecy::{ExposeSecret as _, SecretString};

use super::form::{ACCOUNT, Fault, Form};
use super::outcome::{Redirect, later, origin_only_referrer};
use super::visitor::Visitor;
use crate::config::RegistrationMode;
use crate::http::fields::{Invalid, QueryFields};
use crate::http::problem::Problem;
use crate::model::{EmailAddress, OneTimeCode, Password, Username};
use crate::templates::context;
use crate::{AddressProof, ProveAddress, ProveAddressError, ProvenAddress, UndoEmailChangeError};

/// The fields that the form has in addition to the proof.
#[derive(Clone, Copy, Default)]
struct Asked {
    /// The password of a registration.
    password: bool,
    /// Another username, because the chosen one has been taken in the meantime.
    username: bool,
}

pub(super) async fn show_proof(visitor: Visitor, QueryFields(mut query): QueryFields) -> Result<Response, Problem> {
    let mut read = |name| query.optional(name, |text| Ok::<_, Invalid>(text.to_owned())).ok().flatten();
    let token = read("token").unwrap_or_default();
    let email = read("email").or_else(|| visitor.user().map(|user| user.email.clone()));
    let accounts = visitor.accounts();
    let mut form = Form::empty().with("email", email.unwrap_or_default());
    let password = if token.is_empty() {
        visitor.caller.is_none() && accounts.config().registration.mode == RegistrationMode::Verified
    } else {
        let registration = accounts.find_registration_address(&token.clone().into()).await?;
        form = form.with(ACCOUNT, registration.as_ref().map_or("", EmailAddress::as_str));
        registration.is_some()
    };
    let form = form.with("token", token);
    Ok(proof_page(&visitor, StatusCode::OK, &form, Asked { password, ..Asked::default() }))
}

fn proof_page(visitor: &Visitor, status: StatusCode, form: &Form, asked: Asked) -> Response {
    let own = context! { form => form.context(), password => asked.password, other_name => asked.username };
    origin_only_referrer(visitor.page(status, "pages/verify_email.html", own))
}

pub(super) async fn prove(visitor: Visitor, mut form: Form) -> Result<Response, Problem> {
    let visitor = visitor.at("/verify-email");
    let token = form.optional("token", |text| Ok::<_, Fault>(SecretString::from(text))).flatten();
    form.keep(ACCOUNT);
    let username = form.optional("username", Username::parse);
    let password = form.secret_if_sent("password", Password::presented);
    let proof = if let Some(token) = token {
        Some(AddressProof::Token(token))
    } else {
        form = form.with("token", "");
        let address = form.required("email", EmailAddress::parse);
        let code = form.required("code", OneTimeCode::parse);
        address.zip(code).map(|(address, code)| AddressProof::Code { address, code })
    };
    let (Some(proof), Some(username)) = (proof, username) else {
        let asked = Asked { username: form.is_faulty_at("username"), password: password.is_some() };
        return Ok(proof_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form, asked));
    };
    let accounts = visitor.accounts();
    let asked = Asked { password: password.is_some(), ..Asked::default() };
    let client = visitor.client.clone();
    match accounts.prove_address(ProveAddress { proof, password, username, client }).await {
        Ok(proven) => {
            let inside = if visitor.caller.is_some() { "/account" } else { "/login" };
            Ok(match proven {
                ProvenAddress::Verified(_) => Redirect::path(inside).done(&visitor, "verified"),
                ProvenAddress::Registered(_) => Redirect::path("/login").done(&visitor, "registered-verified"),
                ProvenAddress::Changed(_) => Redirect::path(inside).done(&visitor, "email-confirmed"),
            }
            .into_response())
        }
        Err(ProveAddressError::Invalid) => {
            form.fault::<()>("", Fault("fault-proof"));
            Ok(proof_page(&visitor, StatusCode::BAD_REQUEST, &form.with("token", ""), Asked::default()))
        }
        Err(ProveAddressError::UsernameTaken) => {
            form.fault::<()>("username", Fault("fault-username-taken"));
            Ok(proof_page(&visitor, StatusCode::BAD_REQUEST, &form, Asked { username: true, ..asked }))
        }
        Err(ProveAddressError::PasswordRequired) => {
            form.fault::<()>("password", Fault("fault-registration-password"));
            let asked = Asked { password: true, ..asked };
            Ok(proof_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form, asked))
        }
        Err(ProveAddressError::WrongPassword) => {
            form.fault::<()>("password", Fault("fault-registration-password-wrong"));
            Ok(proof_page(&visitor, StatusCode::BAD_REQUEST, &form, asked))
        }
        Err(ProveAddressError::Overloaded(_)) => {
            form.fault::<()>("", Fault("fault-busy"));
            Ok(proof_page(&visitor, StatusCode::SERVICE_UNAVAILABLE, &form, asked))
        }
        Err(ProveAddressError::EmailTaken) => {
            form.fault::<()>("", Fault("fault-email-taken"));
            Ok(proof_page(&visitor, StatusCode::BAD_REQUEST, &form, asked))
        }
        Err(ProveAddressError::TooMany(limited)) => {
            form.fault::<()>("", limited.into());
            Ok(later(proof_page(&visitor, StatusCode::TOO_MANY_REQUESTS, &form, asked), &limited))
        }
        Err(ProveAddressError::Internal(error)) => Err(error.into()),
    }
}

pub(super) async fn show_undo(visitor: Visitor, QueryFields(mut query): QueryFields) -> Response {
    let token = query.optional("token", |text| Ok::<_, Invalid>(text.to_owned())).ok().flatten();
    undo_page(&visitor, StatusCode::OK, &Form::empty().with("token", token.unwrap_or_default()))
}

fn undo_page(visitor: &Visitor, status: StatusCode, form: &Form) -> Response {
    origin_only_referrer(visitor.page(status, "pages/undo_email_change.html", context! { form => form.context() }))
}

pub(super) async fn undo(visitor: Visitor, mut form: Form) -> Result<Response, Problem> {
    let visitor = visitor.at("/undo-email-change");
    let token = form.required("token", |text| Ok::<_, Fault>(SecretString::from(text)));
    let mut form = Form::empty().with("token", "");
    let Some(token) = token else {
        form.fault::<()>("", Fault("fault-undo-token"));
        return Ok(undo_page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form));
    };
    match visitor.accounts().undo_email_change(&token, &visitor.client).await {
        Ok(()) => Ok(Redirect::path("/login").done(&visitor, "email-undone").into_response()),
        Err(UndoEmailChangeError::InvalidToken) => {
            form.fault::<()>("", Fault("fault-undo-token"));
            Ok(undo_page(&visitor, StatusCode::BAD_REQUEST, &form))
        }
        Err(UndoEmailChangeError::EmailTaken) => {
            form.fault::<()>("", Fault("fault-email-taken"));
            Ok(undo_page(&visitor, StatusCode::BAD_REQUEST, &form))
        }
        Err(UndoEmailChangeError::TooMany(limited)) => {
            form.fault::<()>("", limited.into());
            // The button stays: the token is still valid.
            let form = form.with("token", token.expose_secret());
            Ok(later(undo_page(&visitor, StatusCode::TOO_MANY_REQUESTS, &form), &limited))
        }
        Err(UndoEmailChangeError::Internal(error)) => Err(error.into()),
    }
}
