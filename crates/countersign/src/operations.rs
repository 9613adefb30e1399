//! The operations of [`Accounts`](crate::Accounts), grouped by subject, one file each with its input, outcome and
//! closed error.

mod account;
mod email;
mod keys;
mod password;
#[cfg(feature = "pictures")]
mod picture;
mod read;
mod session;
mod steps;

pub use account::edit_profile::{EditProfile, EditProfileError};
pub use account::register::{Register, RegisterError, Registered};
pub use email::prove::{AddressProof, ProveAddress, ProveAddressError, ProvenAddress};
pub use email::undo::UndoEmailChangeError;
pub use keys::{PUBLISH_AHEAD, RotateSigningKeyError};
pub use password::change::{ChangePassword, ChangePasswordError};
pub use password::forgot::ForgotPasswordError;
pub use password::reset::ResetPasswordError;
#[cfg(feature = "pictures")]
pub use picture::back_up::{MissingPicture, count_pictures, follow_picture, list_pictures};
#[cfg(feature = "pictures")]
pub use picture::remove::RemoveProfilePictureError;
#[cfg(feature = "pictures")]
pub use picture::set::SetProfilePictureError;
pub use session::introspect::{ActiveToken, TokenKind};
pub use session::log_in::{LogIn, LogInError, LogInOutcome, SecondStep};
pub use session::reauthenticate::ReauthenticateError;
pub use session::refresh_tokens::RefreshTokensError;
pub use steps::attempts::RequestMailError;
pub use steps::challenge::{ChallengeFault, ChallengeRequired};
pub use steps::issue_tokens::Tokens;
#[cfg(feature = "testing")]
pub use steps::voids::voids;
