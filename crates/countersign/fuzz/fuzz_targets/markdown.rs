//! Any text as Markdown. Run with `cargo fuzz run markdown`.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| blog::fuzzing::markdown(text));
