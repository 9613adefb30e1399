//! Decides what a user, an address, a password and an id are: parsed once, then trusted. No I/O, no serde, no SQL.

mod client;
mod common_passwords;
mod email_address;
mod id;
mod password;
mod user;

pub use client::ClientInfo;
pub(crate) use client::Network;
pub use email_address::{EmailAddress, InvalidEmailAddress};
pub use id::InvalidId;
pub use password::{InvalidPassword, Password};
pub use user::{InvalidUsername, Profile, SessionId, User, UserId, Username};
