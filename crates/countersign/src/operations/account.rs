//! Accounts as a whole: how they come to be, what is said in them, and how they go.

mod delete;
pub(super) mod edit_profile;
mod invite;
pub(super) mod register;
