//! The pages that the accounts show to people, and where they are: forms that work without script, which call the same
//! operations as the JSON API.
//!
//! A host merges [`routes`] at the root of its site. Its own pages take a [`Visitor`], a [`LoggedIn`] or, for what takes time to
//! write, a [`Writer`], and render with [`Visitor::page`], so
//! that they share the layout, the language and the look; `pages/layout.html` is its own to replace. See
//! [`crate::templates`].

mod account;
mod email;
mod files;
mod form;
mod login;
mod looks;
mod next;
mod outcome;
mod password;
mod picture;
mod preferences;
mod register;
mod sessions;
mod shown;
mod visitor;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, FromRef};
use axum::routing::{get, post};

pub use form::{Fault, Form};
pub use looks::ErrorPage;
pub use outcome::To;
pub use shown::{Moment, picture_url};
pub use visitor::{FormsOf, LoggedIn, NoCaller, Visitor, Writer};

use crate::Accounts;

/// Forms of the accounts are small; that with a picture has a limit of its own.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// The pages of the accounts, to be merged at the root beside [`assets`]. They are not to be compressed: the length of an
/// answer that has both a secret and what a client sent would tell of the secret.
pub fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    Router::new()
        .route("/login", get(login::show).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/register", get(register::show).post(register::register))
        .route("/forgot-password", get(password::show_forgot).post(password::forget))
        .route("/reset-password", get(password::show_reset).post(password::reset))
        .route("/verify-email", get(email::show_proof).post(email::prove))
        .route("/undo-email-change", get(email::show_undo).post(email::undo))
        .route("/preferences", post(preferences::choose))
        .route("/account", get(account::show))
        .route("/.well-known/change-password", get(account::lead_to_password))
        .route("/account/delete", get(account::show_deletion).post(account::delete))
        .merge(account_forms())
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .merge(picture_forms())
}

fn account_forms<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    Router::new()
        .route("/account/profile", post(account::save_profile))
        .route("/account/email", post(account::change_email))
        .route("/account/verification", post(account::resend_verification))
        .route("/account/password", post(account::change_password))
        .route("/account/sessions/end-others", post(sessions::end_others))
        .route("/account/sessions/{session_id}/end", post(sessions::end))
        .layer(Extension(FormsOf("/account")))
}

fn picture_forms<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    Router::new()
        .route("/account/picture", post(account::set_picture))
        .route("/account/picture/remove", post(picture::remove))
        .layer(Extension(FormsOf("/account")))
}

/// The style sheet, the scripts and the drawings that all pages fetch, to be merged at the root.
pub fn assets<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    Router::new().route("/assets/{version}/{name}", get(files::file))
}
