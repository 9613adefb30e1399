//! Any bytes as `X-Forwarded-For` and `Forwarded`. Run with `cargo fuzz run forwarded`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::forwarded(bytes));
