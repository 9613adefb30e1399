//! Compares every code path with the `argon2` crate on any number of random cases:
//!
//! ```text
//! cargo run --release -p countersign-argon2 --example differential -- --cases 100000
//! ```
//!
//! `--seed S` picks another sequence, `--first N` starts later in it, `--path NAME` runs one path only. Stops at the
//! first difference with exit status 1 and prints the command that reproduces it.

#![expect(clippy::print_stdout, reason = "a program for the terminal")]

#[path = "../tests/cases/random.rs"]
mod random;

use std::process::ExitCode;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use random::Code;

fn main() -> ExitCode {
    let (mut cases, mut seed, mut first, mut only) = (1_000_u64, 1_u64, 0_u64, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let number = || value.parse().unwrap_or_else(|_| panic!("{name} wants a number, not {value:?}"));
        match name.as_str() {
            "--cases" => cases = number(),
            "--seed" => seed = number(),
            "--first" => first = number(),
            "--path" => only = Some(value),
            _ => panic!("unknown argument {name}: there are --cases, --seed, --first, --path"),
        }
    }
    let codes: Vec<Code> =
        Code::available().into_iter().filter(|code| only.as_ref().is_none_or(|name| *name == code.name())).collect();
    assert!(!codes.is_empty(), "this processor has no path of that name");
    let mut arenas: Vec<_> = codes.iter().map(|code| code.arena(1)).collect();
    let strategy = random::case();
    let (mut blocks, mut tags) = (0, 0);
    for number in first..first + cases {
        // Each case has its own random source, so that any case can be reproduced alone.
        let mut source = [0; 32];
        source[..8].copy_from_slice(&seed.to_le_bytes());
        source[8..16].copy_from_slice(&number.to_le_bytes());
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &source));
        let case = strategy.new_tree(&mut runner).expect("the strategy rejects nothing").current();
        let expected: Vec<_> = case.inputs.iter().map(|bytes| random::reference(&case.params, bytes)).collect();
        for (code, arena) in codes.iter().zip(&mut arenas) {
            if let Err(difference) = random::compare(&case, &expected, arena) {
                let name = code.name();
                println!("case {number} differs on {name}: {difference}\n{case:?}");
                println!(
                    "again: cargo run --release -p countersign-argon2 --example differential -- \
                     --seed {seed} --first {number} --cases 1 --path {name}"
                );
                return ExitCode::FAILURE;
            }
        }
        tags += case.inputs.len() as u64 + 1;
        blocks +=
            case.params.memory_bytes() / 1024 * u64::from(case.params.iterations()) * (case.inputs.len() as u64 + 1);
        let done = number + 1 - first;
        if done % cases.div_ceil(20) == 0 || done == cases {
            println!("{done} of {cases} cases, {tags} tags and {blocks} blocks for each path: no difference");
        }
    }
    let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
    println!("{cases} cases for each of {}: 0 differences", names.join(", "));
    ExitCode::SUCCESS
}
