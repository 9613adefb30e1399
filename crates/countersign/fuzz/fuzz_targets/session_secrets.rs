//! Any bytes as refresh tokens, session cookies and one-time tokens. Run with `cargo fuzz run session_secrets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::session_secrets(bytes));
