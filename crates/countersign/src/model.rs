//! Decides what a user, an address, a password and an id are: parsed once, then trusted. No I/O, no serde, no SQL.

mod client;
mod common_passwords;
mod email_address;
mod event;
mod id;
mod language;
mod password;
mod picture_file;
mod session;
mod signing_key;
mod user;

pub use client::ClientInfo;
pub(crate) use client::Network;
pub use email_address::{EmailAddress, InvalidEmailAddress};
pub use event::EventKind;
pub use id::InvalidId;
pub use language::{InvalidLanguage, Language};
pub use password::{InvalidPassword, Password};
pub use picture_file::{InvalidPictureFile, PictureFile};
pub(crate) use session::LiveSession;
pub use session::{Authenticated, Session, SessionId};
pub(crate) use signing_key::Sealed;
pub use signing_key::{SigningAlgorithm, SigningKey, SigningKeyState};
pub use user::{InvalidUsername, Profile, User, UserId, Username};
