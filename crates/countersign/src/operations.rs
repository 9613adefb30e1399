//! Verbs, one file each, with their input, outcome and closed error.

mod authenticate;
mod back_up_pictures;
mod change_email;
mod change_password;
mod delete_account;
mod edit_profile;
mod end_sessions;
mod introspect;
mod invite;
mod log_in;
mod manage_signing_keys;
mod prove_address;
mod reauthenticate;
mod recover;
mod refresh_tokens;
mod register;
mod remove_profile_picture;
mod set_profile_picture;
mod steps;

pub use back_up_pictures::{MissingPicture, count_pictures, follow_picture, list_pictures};
pub use change_email::UndoEmailChangeError;
pub use change_password::{ChangePassword, ChangePasswordError};
pub use edit_profile::{EditProfile, EditProfileError};
pub use introspect::{ActiveToken, TokenKind};
pub use log_in::{LogIn, LogInError, LogInOutcome, SecondStep};
pub use manage_signing_keys::{PUBLISH_AHEAD, RotateSigningKeyError};
pub use prove_address::{AddressProof, ProveAddress, ProveAddressError, ProvenAddress};
pub use reauthenticate::ReauthenticateError;
pub use recover::{ForgotPasswordError, ResetPasswordError};
pub use refresh_tokens::RefreshTokensError;
pub use register::{Register, RegisterError, Registered};
pub use remove_profile_picture::RemoveProfilePictureError;
pub use set_profile_picture::SetProfilePictureError;
pub use steps::attempts::RequestMailError;
pub use steps::challenge::{ChallengeFault, ChallengeRequired};
pub use steps::issue_tokens::Tokens;
#[cfg(feature = "testing")]
pub use steps::voids::voids;
