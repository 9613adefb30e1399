//! Decides what is measured; a file for each part.

pub(crate) mod cost;
pub(crate) mod revocation;
pub(crate) mod rotation;
