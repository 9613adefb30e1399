//! Any bytes as `multipart/form-data`. Run with `cargo fuzz run multipart`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::multipart(bytes));
