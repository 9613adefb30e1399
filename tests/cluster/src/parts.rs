//! Decides which parts there are.

pub(crate) mod failover;
pub(crate) mod kill;
pub(crate) mod restart;
pub(crate) mod rounds;
pub(crate) mod upgrade;
