//! Profile pictures.

pub(super) mod back_up;
pub(super) mod remove;
pub(super) mod set;
