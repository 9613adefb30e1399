//! The parts, each a story that is played and counted.

pub(crate) mod disk;
pub(crate) mod failover;
pub(crate) mod kill;
pub(crate) mod restart;
pub(crate) mod rounds;
pub(crate) mod storm;
pub(crate) mod upgrade;
