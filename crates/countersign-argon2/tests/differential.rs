//! Every code path computes the same tags as the `argon2` crate. `examples/differential.rs` does this for any number of
//! cases.

#[path = "cases/random.rs"]
mod random;

use proptest::prelude::*;
use random::Code;

/// Cases per path. The arenas are reused across cases, as in a server.
const CASES: u32 = 300;

fn every_case_agrees(code: Code) {
    let arena = std::cell::RefCell::new(code.arena(1));
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(case in random::case())| {
        let expected: Vec<_> = case.inputs.iter().map(|bytes| random::reference(&case.params, bytes)).collect();
        let result = random::compare(&case, &expected, &mut arena.borrow_mut());
        prop_assert_eq!(result, Ok(()), "{}", code.name());
    });
}

#[test]
fn every_code_path_of_this_processor_agrees_with_the_reference() {
    for code in Code::available() {
        if code != Code::Emulated512 {
            every_case_agrees(code);
        }
    }
}

#[test]
fn the_512_bit_arithmetic_on_arrays_agrees_with_the_reference() {
    assert!(Code::available().contains(&Code::Emulated512));
    every_case_agrees(Code::Emulated512);
}
