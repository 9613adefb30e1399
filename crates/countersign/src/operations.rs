//! Decides what happens: verbs, one file each, with their input, outcome and closed error.

mod authenticate;
mod delete_account;
mod edit_profile;
mod log_in;
mod register;

pub use edit_profile::{EditProfile, EditProfileError};
pub use log_in::{LogIn, LogInError, LoggedIn};
pub use register::{Register, RegisterError};
