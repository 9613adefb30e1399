//! The blog's JSON API: one file per URL resource, and their shared responses.

mod listing;
pub(crate) mod posts;
pub(crate) mod users;
