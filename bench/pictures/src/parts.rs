//! Decides what the parts have to themselves: each is one file.

pub(crate) mod hostile;
pub(crate) mod kills;
pub(crate) mod sizes;
pub(crate) mod throughput;
