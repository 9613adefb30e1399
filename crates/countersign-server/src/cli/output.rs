//! Output of commands on the terminal, and the exit code if it cannot be written.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::OnceLock;

/// The first error of standard output.
static UNSAID: OnceLock<io::Error> = OnceLock::new();

/// The exit code that shells report for a program ended by SIGPIPE, the usual end when the reader has gone (`| head`).
const NOBODY_READS: u8 = 128 + 13;

/// Writes a line to standard output, for commands. If that fails, the command continues, and the program ends with an exit
/// status that says so.
pub fn say(line: fmt::Arguments<'_>) {
    // One write, so that no line of the log comes in between.
    if let Err(error) = io::stdout().write_all(format!("{line}\n").as_bytes()) {
        // Later errors follow from the first one.
        let _ = UNSAID.set(error);
    }
}

/// Writes a line to standard error.
pub(super) fn print_error(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints the help, the version, or the error of the command line.
pub(super) fn explain(error: &clap::Error) -> ExitCode {
    if let Err(error) = error.print() {
        let _ = UNSAID.set(error);
    }
    said(if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// Returns the exit code of a completed command: `code`, unless its output could not be written.
pub(super) fn said(code: ExitCode) -> ExitCode {
    match UNSAID.get() {
        None => code,
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(NOBODY_READS),
        Some(error) => {
            print_error(&format!("error: standard output cannot be written: {error}"));
            ExitCode::FAILURE
        }
    }
}
