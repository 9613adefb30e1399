//! Decides how the figures are shown: a table for people, then a line for each that programs can rely on.

use std::fmt;

/// What a figure should be.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    Within(f64, f64),
    /// It only informs.
    None,
}

impl Goal {
    fn verdict(self, value: f64) -> &'static str {
        match self {
            Self::None => "",
            Self::AtLeast(least) if value >= least => "met",
            Self::AtMost(most) if value <= most => "met",
            Self::Within(least, most) if (least..=most).contains(&value) => "met",
            Self::AtLeast(_) | Self::AtMost(_) | Self::Within(..) => "MISSED",
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, ">= {least}"),
            Self::AtMost(most) => write!(f, "<= {most}"),
            Self::Within(least, most) => write!(f, "{least}-{most}"),
            Self::None => Ok(()),
        }
    }
}

pub(crate) struct Figure {
    /// Stable: programs look for it.
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) goal: Goal,
    /// What the value is made of.
    pub(crate) note: String,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, goal: Goal, note: impl Into<String>) -> Self {
        Self { name: name.into(), value, goal, note: note.into() }
    }
}

pub(crate) fn print(figures: &[Figure]) {
    println!("\n{:<46} {:>10}  {:<9} {:<7} made of", "figure", "value", "goal", "verdict");
    for Figure { name, value, goal, note } in figures {
        println!("{name:<46} {value:>10.3}  {:<9} {:<7} {note}", goal.to_string(), goal.verdict(*value));
    }
    println!();
    for Figure { name, value, .. } in figures {
        println!("{name} {value:.3}");
    }
}
