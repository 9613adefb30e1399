//! Operations on posts, with their permission checks: one file per verb.

pub(crate) mod delete_post;
pub(crate) mod edit_post;
pub(crate) mod list_posts;
pub(crate) mod publish_post;
