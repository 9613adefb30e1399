//! Any bytes as `Accept-Language`. Run with `cargo fuzz run accept_language`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::accept_language(bytes));
