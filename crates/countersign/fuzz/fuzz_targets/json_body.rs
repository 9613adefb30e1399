//! Any bytes as JSON bodies. Run with `cargo fuzz run json_body`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::json_body(bytes));
