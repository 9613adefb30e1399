//! Steps shared by several operations.

pub(super) mod attempts;
pub(super) mod challenge;
pub(super) mod change;
pub(super) mod change_address;
mod check_password;
mod choose_password;
mod discard_picture;
pub(super) mod enqueue_mail;
pub(super) mod issue_tokens;
pub(super) mod keyring;
pub(super) mod record_event;
pub(super) mod start_session;
pub(super) mod voids;
