//! The accounts as a host calls them, on the database chosen by `TEST_DATABASE`.

mod accounts;
mod migrations;
