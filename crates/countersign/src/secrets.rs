//! Decides everything that must stay secret: the only home of randomness and cryptography.

pub(crate) mod access_token;
pub(crate) mod hashing_pool;
pub(crate) mod password_hash;
mod random;
pub(crate) mod session_secret;

pub use hashing_pool::{HashingMetrics, HashingSpeed, Histogram, measure_hashing};
pub(crate) use random::bytes;
pub use random::{generate_secret_key, random_uuid_v7};
