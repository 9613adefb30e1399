//! Decides what the blog keeps in the database: all its SQL, one file a table.

pub(crate) mod post_counts;
pub(crate) mod posts;
