//! All SQL of the blog, one file per table.

pub(crate) mod post_counts;
pub(crate) mod posts;
