//! The blog's JSON API: one file per URL resource, and what their answers share.

mod listing;
pub(crate) mod posts;
pub(crate) mod users;
