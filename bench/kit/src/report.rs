//! Figures with their goals, and how they are printed: a table for people, then a line for each figure that programs can rely
//! on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
    Within(f64, f64),
}

impl Goal {
    pub fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
            Self::Within(least, most) => (least..=most).contains(&value),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {}", short(*least)),
            Self::AtMost(most) => write!(f, "≤ {}", short(*most)),
            Self::Within(least, most) => write!(f, "{} to {}", short(*least), short(*most)),
        }
    }
}

pub struct Figure {
    /// Stable: programs look for it.
    pub name: String,
    pub value: f64,
    /// A figure without a goal informs.
    pub goal: Option<Goal>,
    /// How the value was made.
    pub note: String,
}

impl Figure {
    pub fn new(name: impl Into<String>, value: f64, goal: impl Into<Option<Goal>>, note: impl Into<String>) -> Self {
        Self { name: name.into(), value, goal: goal.into(), note: note.into() }
    }
}

pub fn print(figures: &[Figure]) {
    println!("\n{:<46} {:>10}  {:<13} {:<7} made of", "figure", "value", "goal", "verdict");
    for Figure { name, value, goal, note } in figures {
        let wanted = goal.map(|goal| goal.to_string()).unwrap_or_default();
        let verdict = match goal {
            None => "",
            Some(goal) if goal.is_met(*value) => "met",
            Some(_) => "MISSED",
        };
        println!("{name:<46} {value:>10.3}  {wanted:<13} {verdict:<7} {note}");
    }
    println!();
    for Figure { name, value, .. } in figures {
        println!("{name} {value:.3}");
    }
}

/// With three significant digits.
pub fn short(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if !value.is_finite() => "–".to_owned(),
        _ if size >= 1000.0 => with_commas(value.round() as i64),
        _ if size >= 100.0 || is_whole(value) => format!("{value:.0}"),
        _ if size >= 10.0 => format!("{value:.1}"),
        _ => trimmed(&format!("{value:.2}")),
    }
}

fn is_whole(value: f64) -> bool {
    (value - value.round()).abs() < 1e-9
}

fn trimmed(text: &str) -> String {
    text.strip_suffix('0').filter(|text| !text.ends_with('.')).unwrap_or(text).to_owned()
}

fn with_commas(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::from(if value < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_significant_digits() {
        let shown = [0.0, 0.05, 0.9, 1.0, 1.25, 7.0, 34.56, 123.4, 1234.5, 1_234_567.0].map(short);
        assert_eq!(shown, ["0", "0.05", "0.9", "1", "1.25", "7", "34.6", "123", "1,235", "1,234,567"]);
        assert_eq!(short(f64::NAN), "–");
    }
}
