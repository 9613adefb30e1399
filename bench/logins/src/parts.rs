//! Decides what is measured; a file for each part.

pub(crate) mod crowd;
pub(crate) mod disconnect;
pub(crate) mod full_load;
pub(crate) mod me;
pub(crate) mod slowloris;
pub(crate) mod timing;
