//! Any bytes as queries. Run with `cargo fuzz run query`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::query(bytes));
