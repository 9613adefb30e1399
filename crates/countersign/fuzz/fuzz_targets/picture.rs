//! Any bytes as pictures. Run with `cargo fuzz run picture`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::picture(bytes));
