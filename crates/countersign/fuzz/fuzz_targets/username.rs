//! Any bytes as usernames. Run with `cargo fuzz run username`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::username(bytes));
