//! Profile pictures: upload, removal and backup.

pub(super) mod back_up;
pub(super) mod remove;
pub(super) mod set;
