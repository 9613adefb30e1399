//! The report: a table, then one machine-readable line per figure.

use std::fmt;

use crate::ledger::Ledger;

/// The goal of a figure.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Informational.
    None,
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::None => true,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, ">= {least}"),
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::None => f.write_str("-"),
        }
    }
}

/// A measured result.
pub(crate) struct Figure {
    /// Stable, because programs look for it.
    name: &'static str,
    value: f64,
    goal: Goal,
    note: String,
}

impl Figure {
    pub(crate) fn new(name: &'static str, value: f64, goal: Goal, note: impl Into<String>) -> Self {
        Self { name, value, goal, note: note.into() }
    }

    pub(crate) fn is_met(&self) -> bool {
        self.goal.is_met(self.value)
    }
}

/// Formats the failures that clients saw.
pub(crate) fn counts(ledger: &Ledger) -> String {
    let kinds = ledger.kinds_of_failures().into_iter().map(|(kind, count)| format!("{count} × {kind}"));
    kinds.collect::<Vec<_>>().join(", ")
}

pub(crate) fn print(figures: &[Figure]) {
    println!("\n{:<40} {:>10}  {:<8} {:<7} note", "figure", "value", "goal", "verdict");
    for figure in figures {
        let Figure { name, value, goal, note } = figure;
        let verdict = if figure.is_met() { "met" } else { "MISSED" };
        println!("{name:<40} {value:>10.3}  {:<8} {verdict:<7} {note}", goal.to_string());
    }
    println!();
    for Figure { name, value, .. } in figures {
        println!("{name} {value:.3}");
    }
}
