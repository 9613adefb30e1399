//! What a command writes to the terminal, and how it ends when that cannot be written.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::OnceLock;

/// Why something was not written to standard output.
static UNSAID: OnceLock<io::Error> = OnceLock::new();

/// What a shell makes of a program that SIGPIPE has ended, which is how most end when their reader has gone (`| head`).
const NOBODY_READS: u8 = 128 + 13;

/// Writes a line to standard output. If that is not possible the command goes on with its work, and fails in the end.
pub(super) fn say(line: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout(), "{line}") {
        // The first error is the cause of all others.
        let _ = UNSAID.set(error);
    }
}

/// Writes a line to standard error.
pub(super) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Shows the help or the version, or how the command line is wrong.
pub(super) fn explain(error: &clap::Error) -> ExitCode {
    if let Err(error) = error.print() {
        let _ = UNSAID.set(error);
    }
    said(if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// How a command ends that has done its work: as it would, if everything could be said.
pub(super) fn said(code: ExitCode) -> ExitCode {
    match UNSAID.get() {
        None => code,
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(NOBODY_READS),
        Some(error) => {
            complain(&format!("error: standard output cannot be written: {error}"));
            ExitCode::FAILURE
        }
    }
}
