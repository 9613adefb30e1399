#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! - [`Accounts`] is the handle. Its methods are the verbs: [`Accounts::register`], [`Accounts::log_in`],
//!   [`Accounts::verify_access_token`], [`Accounts::edit_profile`], [`Accounts::delete_account`]. The database must have
//!   [`MIGRATIONS`].
//! - [`mount`] adds all routes; [`http`] and [`pages`] have them one by one.
//! - [`CurrentUser`], [`OptionalUser`] and [`RecentlyAuthenticated`] are extractors for a host's own handlers;
//!   [`pages::LoggedIn`] and [`pages::Visitor`] are those for pages.
//! - [`config::Config`] holds every choice, with a default.
//! - [`http::problem`] has the errors of the API, for hosts whose errors should look the same.
//! - [`Hooks`] runs a host's code in the transactions of the accounts, and [`RecurringJob`] runs it again and again.
//! - [`operator`] is for programs that run the accounts, and changes with any release.

// What only the code of a feature uses is unused without it; with all of them, the compiler reports what nobody uses.
#![cfg_attr(
    not(all(feature = "smtp", feature = "pictures", feature = "s3", feature = "pages")),
    allow(dead_code, unused_imports, clippy::allow_attributes, reason = "the code of a feature uses it")
)]

mod accounts;
pub mod catalogue;
pub mod clock;
pub mod config;
mod error;
mod event_counts;
mod hooks;
pub mod http;
mod jobs;
pub mod limits;
pub mod mail;
pub mod media;
pub mod model;
mod mount;
mod operations;
pub mod operator;
#[cfg(feature = "pages")]
pub mod pages;
mod secrets;
mod session_cache;
mod store;
pub mod templates;
#[cfg(feature = "testing")]
#[expect(clippy::missing_panics_doc, reason = "a test fails by a panic")]
pub mod testing;
mod transport;
mod workers;

use countersign_db::Migrations;

/// Crates whose types are in this crate's API, in the versions that match it.
#[doc(no_inline)]
pub use {axum, jiff, secrecy, utoipa, utoipa_axum, uuid};

pub use accounts::Accounts;
pub use error::InternalError;
pub use hooks::{HookFuture, Hooks};
pub use http::current_user::{CurrentUser, OptionalUser, RecentlyAuthenticated};
pub use jobs::RecurringJob;
pub use limits::TooManyAttempts;
pub use model::Event;
pub use mount::mount;
pub use operations::{
    ActiveToken, AddressProof, ChallengeFault, ChallengeRequired, ChangePassword, ChangePasswordError, EditProfile,
    EditProfileError, ForgotPasswordError, LogIn, LogInError, LogInOutcome, ProveAddress, ProveAddressError,
    ProvenAddress, ReauthenticateError, RefreshTokensError, Register, RegisterError, Registered, RequestMailError,
    ResetPasswordError, RotateSigningKeyError, SecondStep, TokenKind, Tokens, UndoEmailChangeError,
};

#[cfg(feature = "pictures")]
pub use operations::{RemoveProfilePictureError, SetProfilePictureError};

/// The schema of the accounts: tables prefixed `auth_`. To be applied before a host's own, which may refer to
/// `auth_users (id)` and join the view `auth_user_profiles`.
pub static MIGRATIONS: Migrations = countersign_db::migrations!("auth", [1 => "0001_users", 2 => "0002_sessions", 3 => "0003_refresh", 4 => "0004_signing_keys", 5 => "0005_changes", 6 => "0006_recovery", 7 => "0007_pictures", 8 => "0008_attempts", 9 => "0009_challenges", 10 => "0010_methods", 11 => "0011_events", 12 => "0012_askers", 13 => "0013_password_recipes", 14 => "0014_stay"]);

/// The example of the repository's README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct RepositoryReadme;
