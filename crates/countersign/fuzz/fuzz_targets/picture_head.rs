//! Any bytes as the heads of pictures. Run with `cargo fuzz run picture_head`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::picture_head(bytes));
