//! Any bytes as `Cookie`. Run with `cargo fuzz run cookie_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::cookie_header(bytes));
