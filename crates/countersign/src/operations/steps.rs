//! What several verbs do alike.

pub(super) mod attempts;
pub(super) mod challenge;
mod change_address;
mod discard_picture;
pub(super) mod issue_tokens;
pub(super) mod keyring;
mod new_session;
pub(super) mod promise;
mod promise_job;
