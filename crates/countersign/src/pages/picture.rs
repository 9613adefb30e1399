//! Forms of the account page that set and remove the picture.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::account::show_refused_picture;
use super::form::Fault;
use super::outcome::Redirect;
use super::visitor::LoggedIn;
use crate::RemoveProfilePictureError;
use crate::http::problem::{
    FILE_TOO_LARGE, INVALID_FIELDS, INVALID_IMAGE, INVALID_TOKEN, Problem, STORAGE_UNAVAILABLE,
};
use crate::http::users::picture::receive_picture;

pub(super) async fn set(LoggedIn { visitor, caller }: LoggedIn, request: Request) -> Result<Response, Problem> {
    let Err(problem) = receive_picture(visitor.accounts(), caller.user.id, &visitor.client, request).await else {
        return Ok(Redirect::path("/account").done(&visitor, "picture-saved").into_response());
    };
    let kinds = [
        (&FILE_TOO_LARGE, "fault-picture-large", StatusCode::BAD_REQUEST),
        (&INVALID_IMAGE, "fault-picture", StatusCode::BAD_REQUEST),
        (&INVALID_FIELDS, "fault-missing", StatusCode::UNPROCESSABLE_ENTITY),
        (&STORAGE_UNAVAILABLE, "fault-picture-storage", StatusCode::INTERNAL_SERVER_ERROR),
    ];
    match kinds.into_iter().find(|(kind, ..)| kind.code == problem.kind().code) {
        Some((_, fault, status)) => show_refused_picture(&visitor, &caller, status, Fault(fault)).await,
        None => Err(problem),
    }
}

pub(super) async fn remove(LoggedIn { visitor, caller }: LoggedIn) -> Result<Response, Problem> {
    match visitor.accounts().remove_profile_picture(caller.user.id).await {
        Ok(_) | Err(RemoveProfilePictureError::NoPicture) => {
            Ok(Redirect::path("/account").done(&visitor, "picture-removed").into_response())
        }
        Err(RemoveProfilePictureError::UserGone) => Err(Problem::new(&INVALID_TOKEN)),
        Err(RemoveProfilePictureError::Internal(error)) => Err(error.into()),
    }
}
