//! Any bytes as access tokens. Run with `cargo fuzz run access_token`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::access_token(bytes));
