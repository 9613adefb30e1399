//! Decides what a user, an address, a password and an id are: parsed once, then trusted. No I/O, no serde, no SQL.

mod challenge;
mod client;
mod common_passwords;
mod email_address;
mod event;
mod id;
mod job;
mod language;
mod one_time_token;
mod password;
mod picture_file;
mod proxies;
mod session;
mod signing_key;
mod user;

pub use challenge::{Challenge, ChallengePurpose, ChallengeSolution};
pub use client::ClientInfo;
pub(crate) use client::{Asker, Network, Standing};
pub use email_address::{EmailAddress, InvalidEmailAddress};
pub use event::EventKind;
pub(crate) use event::SecurityEvent;
pub use id::InvalidId;
pub(crate) use job::Job;
pub use job::{EventId, JobBacklog, JobId, QueuedJob};
pub use language::{InvalidLanguage, Language};
pub use one_time_token::OneTimeTokenId;
pub(crate) use one_time_token::{OneTimeToken, TokenPurpose};
pub use password::{InvalidPassword, Password};
pub use picture_file::{InvalidPictureFile, PictureFile};
pub use proxies::{ForwardedHeader, ProxyPolicy};
pub(crate) use session::LiveSession;
pub use session::{Authenticated, Session, SessionId};
pub(crate) use signing_key::Sealed;
pub use signing_key::{SigningAlgorithm, SigningKey, SigningKeyState};
pub(crate) use user::{Contact, Verification};
pub use user::{EmailState, InvalidUsername, Profile, User, UserId, Username};
