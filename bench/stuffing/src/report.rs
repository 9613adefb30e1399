//! Decides how the figures are shown: a table for people, then a line for each goal that programs can rely on.

use std::fmt;

/// What a figure should be.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, ">= {least:.2}"),
            Self::AtMost(most) => write!(f, "<= {most:.2}"),
        }
    }
}

/// A figure that has a goal.
pub(crate) struct Figure {
    /// Stable: programs look for it.
    pub(crate) name: &'static str,
    pub(crate) value: f64,
    pub(crate) goal: Goal,
    /// What the value is made of.
    pub(crate) note: String,
}

pub(crate) fn print(figures: &[Figure]) {
    println!("\n{:<42} {:>9}  {:<16} {:<7} made of", "figure", "value", "goal", "verdict");
    for Figure { name, value, goal, note } in figures {
        let verdict = if goal.is_met(*value) { "met" } else { "MISSED" };
        println!("{name:<42} {value:>9.3}  {:<16} {verdict:<7} {note}", goal.to_string());
    }
    println!();
    for Figure { name, value, .. } in figures {
        println!("{name} {value:.3}");
    }
}
