//! The parts: one scenario each, which is run and measured.

pub(crate) mod disk;
pub(crate) mod failover;
pub(crate) mod kill;
pub(crate) mod restart;
pub(crate) mod rounds;
pub(crate) mod storm;
pub(crate) mod upgrade;
