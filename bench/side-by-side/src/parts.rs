//! The parts, a file for each.

pub(crate) mod cost;
pub(crate) mod growth;
pub(crate) mod logins;
pub(crate) mod me;
pub(crate) mod posts;
pub(crate) mod storm;
