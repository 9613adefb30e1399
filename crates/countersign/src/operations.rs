//! Decides what happens: verbs, one file each, with their input, outcome and closed error.

mod authenticate;
mod delete_account;
mod edit_profile;
mod end_sessions;
mod introspect;
mod log_in;
mod manage_signing_keys;
mod reauthenticate;
mod refresh_tokens;
mod register;
mod remove_profile_picture;
mod set_profile_picture;
mod steps;
mod sweep_pictures;

pub use edit_profile::{EditProfile, EditProfileError};
pub use introspect::{ActiveToken, TokenKind};
pub use log_in::{LogIn, LogInError};
pub use manage_signing_keys::{PUBLISH_AHEAD, RotateSigningKeyError};
pub use reauthenticate::ReauthenticateError;
pub use refresh_tokens::RefreshTokensError;
pub use register::{Register, RegisterError};
pub use remove_profile_picture::RemoveProfilePictureError;
pub use set_profile_picture::SetProfilePictureError;
pub use steps::issue_tokens::Tokens;
pub use sweep_pictures::{PICTURE_AGE_MIN, SweepPicturesError, SweptPictures};
