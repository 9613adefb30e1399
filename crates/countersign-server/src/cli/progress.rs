//! The progress bar of long commands, shown only on a terminal.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

/// Draws the bar over the previous one.
pub(super) fn show(done: u64, all: u64) {
    const CELLS: u64 = 30;
    let mut terminal = io::stderr();
    if !terminal.is_terminal() {
        return;
    }
    let all = all.max(done).max(1);
    let filled = done * CELLS / all;
    let mut bar = String::new();
    for cell in 0..CELLS {
        bar.push(if cell < filled { '#' } else { '.' });
    }
    let _ = write!(bar, "  {done} of {all}");
    let end = if done == all { "\n" } else { "" };
    let _ = write!(terminal, "\r{bar}{end}").and_then(|()| terminal.flush());
}
