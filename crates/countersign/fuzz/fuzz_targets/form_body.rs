//! Any bytes as forms. Run with `cargo fuzz run form_body`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::form_body(bytes));
