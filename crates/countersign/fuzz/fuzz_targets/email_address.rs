//! Any bytes as e-mail addresses. Run with `cargo fuzz run email_address`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| countersign::testing::parsers::email_address(bytes));
