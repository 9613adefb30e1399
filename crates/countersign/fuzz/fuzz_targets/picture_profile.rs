//! Any bytes as colour profiles of pictures. Run with `cargo fuzz run picture_profile`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::picture_profile(bytes));
