//! The HTML pages of the accounts and their routes: forms that work without JavaScript and call the same operations as the JSON
//! API.
//!
//! A host merges [`routes`] at the root of its site. Its own pages extract a [`Visitor`], a [`LoggedIn`] or, for forms that take
//! time to fill in, a [`MaybeLoggedIn`], and render with [`Visitor::page`], so that all pages share the layout, language and theme. A host
//! may replace `pages/layout.html`; see [`crate::templates`].

mod account;
mod email;
mod files;
mod form;
mod login;
mod next;
mod outcome;
mod password;
#[cfg(feature = "pictures")]
mod picture;
mod preferences;
mod register;
mod sessions;
mod shown;
mod theme;
mod visitor;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Extension, FromRef};
use axum::routing::{get, post};

pub use form::{Fault, Form};
pub use outcome::Redirect;
pub use shown::{Moment, picture_url};
pub use theme::ErrorPage;
pub use visitor::{FormsOf, LoggedIn, MaybeLoggedIn, NoCaller, Visitor};

use crate::Accounts;

/// Maximum size of a form's body, in bytes; the picture form has its own limit.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// The pages of the accounts, to be merged at the root together with [`assets`]. Do not compress them: the length of a compressed
/// response with both a secret and client input leaks the secret.
pub fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    let routes = Router::new()
        .route("/login", get(login::show).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/register", get(register::show).post(register::register))
        .route("/forgot-password", get(password::show_forgot).post(password::forget))
        .route("/reset-password", get(password::show_reset).post(password::reset))
        .route("/verify-email", get(email::show_proof).post(email::prove))
        .route("/undo-email-change", get(email::show_undo).post(email::undo))
        .route("/preferences", post(preferences::choose))
        .route("/account", get(account::show))
        .route("/.well-known/change-password", get(account::redirect_to_password))
        .route("/account/delete", get(account::show_deletion).post(account::delete))
        .merge(account_forms())
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX));
    #[cfg(feature = "pictures")]
    let routes = routes.merge(picture_forms());
    routes
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

#[cfg(feature = "pictures")]
fn picture_forms<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    Router::new()
        .route("/account/picture", post(picture::set))
        .route("/account/picture/remove", post(picture::remove))
        .layer(Extension(FormsOf("/account")))
}

/// The style sheet, scripts and drawings of all pages, to be merged at the root.
pub fn assets<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    Router::new().route("/assets/{version}/{name}", get(files::file))
}
