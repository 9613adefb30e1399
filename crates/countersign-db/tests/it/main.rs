//! Integration tests on the database chosen by `TEST_DATABASE`.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod connection;
mod copy;
mod given_up;
mod migrate;
mod outages;
mod poolers;
mod tls;
