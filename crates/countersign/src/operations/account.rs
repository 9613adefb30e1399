//! Operations on whole accounts: registration, invitations, profile edits and deletion.

mod delete;
pub(super) mod edit_profile;
mod invite;
pub(super) mod register;
