//! Decides what is measured; a file for each part.

pub(crate) mod cost;
pub(crate) mod neutral;
pub(crate) mod outage;
pub(crate) mod revocation;
pub(crate) mod rotation;
