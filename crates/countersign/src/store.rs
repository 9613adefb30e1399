//! Decides what is asked of the database: one file a table, all SQL of this crate.

pub(crate) mod attempts;
pub(crate) mod changes;
pub(crate) mod invitations;
pub(crate) mod jobs;
pub(crate) mod known_devices;
pub(crate) mod one_time_tokens;
pub(crate) mod refresh_rotations;
pub(crate) mod registrations;
pub(crate) mod security_events;
pub(crate) mod sessions;
pub(crate) mod signing_keys;
pub(crate) mod spent_challenges;
pub(crate) mod users;
