//! Decides what is asked of the database: one file a table, all SQL of this crate.

pub(crate) mod changes;
pub(crate) mod refresh_rotations;
pub(crate) mod security_events;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod users;
