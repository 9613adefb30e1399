//! Decides who may do what to posts: one file a verb.

pub(crate) mod delete_post;
pub(crate) mod edit_post;
pub(crate) mod list_posts;
pub(crate) mod publish_post;
