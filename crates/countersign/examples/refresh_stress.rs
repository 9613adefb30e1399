//! Many tabs of one session refresh concurrently in many rounds while responses get lost on purpose: no tab may be
//! logged out.
//!
//!     cargo run --release -p countersign --features testing --example refresh_stress -- --tabs 100 --rounds 1000
//!
//! `TEST_DATABASE` selects the database, as for the tests: `sqlite` or `postgres`. Exit status 1 if anything went wrong.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

#[path = "../tests/it/refresh_stress.rs"]
mod refresh_stress;

use std::process::ExitCode;
use std::time::Instant;

use countersign_db::testing::database_under_test;

/// Parses the numbers on the command line, or returns the defaults.
fn tabs_and_rounds(mut arguments: impl Iterator<Item = String>) -> Option<(u32, u32)> {
    let (mut tabs, mut rounds) = (100, 1000);
    while let Some(name) = arguments.next() {
        let number = arguments.next()?.parse().ok().filter(|number| *number > 0)?;
        match name.as_str() {
            "--tabs" => tabs = number,
            "--rounds" => rounds = number,
            _ => return None,
        }
    }
    Some((tabs, rounds))
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some((tabs, rounds)) = tabs_and_rounds(std::env::args().skip(1)) else {
        eprintln!("usage: refresh_stress [--tabs <number>] [--rounds <number>]");
        return ExitCode::from(2);
    };
    println!("{tabs} tabs, {rounds} rounds, on {}", database_under_test());
    let begun = Instant::now();
    let figures = refresh_stress::run(tabs, rounds, |round, figures| {
        if round.is_multiple_of(100) {
            println!("round {round}: {figures}");
        }
    })
    .await;
    println!("{figures}; {:.1} s", begun.elapsed().as_secs_f64());
    if figures.are_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
