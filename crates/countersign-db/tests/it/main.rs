//! The connection and its migrations, on the database chosen by `TEST_DATABASE`.

mod connection;
mod migrate;
