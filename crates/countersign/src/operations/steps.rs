//! Decides what several verbs do alike.

pub(super) mod issue_tokens;
pub(super) mod keyring;
