//! Decides how the blog speaks HTTP: one file per URL resource, and what their answers share.

mod listing;
pub(crate) mod posts;
pub(crate) mod together;
pub(crate) mod users;
