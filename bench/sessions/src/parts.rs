//! The parts, a file for each.

pub(crate) mod cost;
pub(crate) mod neutral;
pub(crate) mod outage;
pub(crate) mod revocation;
pub(crate) mod rotation;
