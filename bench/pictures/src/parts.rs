//! The parts, a file for each.

pub(crate) mod hostile;
pub(crate) mod kills;
pub(crate) mod sizes;
pub(crate) mod throughput;
