//! Decides what happens: verbs, one file each, with their input, outcome and closed error.

mod authenticate;
mod delete_account;
mod edit_profile;
mod end_sessions;
mod log_in;
mod reauthenticate;
mod refresh_tokens;
mod register;
mod steps;

pub use edit_profile::{EditProfile, EditProfileError};
pub use log_in::{LogIn, LogInError};
pub use reauthenticate::ReauthenticateError;
pub use refresh_tokens::RefreshTokensError;
pub use register::{Register, RegisterError};
pub use steps::issue_tokens::Tokens;
