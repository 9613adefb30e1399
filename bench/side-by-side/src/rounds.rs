//! Decides what the rounds of a measurement say together: their median, how far they are apart, and whether that leaves room
//! for a verdict.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most that the largest round may be of the smallest before the median alone decides nothing.
pub(crate) const SPREAD_MAX: f64 = 1.5;

/// What a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
            Self::AtLeast(least) => write!(f, "≥ {}", short(*least)),
            Self::AtMost(most) => write!(f, "≤ {}", short(*most)),
        }
    }
}

/// Whether a goal was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    Missed,
    /// The rounds are too far apart and on both sides of the goal.
    Undecided,
    /// There is no goal.
    None,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::Undecided => "undecided: the spread is too wide",
            Self::None => "",
        })
    }
}

/// The values of all rounds, in their order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Rounds(pub(crate) Vec<f64>);

impl Rounds {
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let half = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            length if length % 2 == 1 => sorted[half],
            _ => f64::midpoint(sorted[half - 1], sorted[half]),
        }
    }

    pub(crate) fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Round by round: these over those. A round that either of them lacks is left out, and one where there was nothing.
    pub(crate) fn over(&self, others: &Self) -> Self {
        let ratios = self.0.iter().zip(&others.0).map(|(above, below)| above / below);
        Self(ratios.filter(|ratio| ratio.is_finite()).collect())
    }

    /// Whether the rounds are so far apart that their median is not to be trusted.
    pub(crate) fn is_wide(&self) -> bool {
        self.max() > self.min() * SPREAD_MAX
    }

    /// When the rounds are far apart, only a goal that all of them are on the same side of is met or missed.
    pub(crate) fn verdict(&self, goal: Option<Goal>) -> Verdict {
        let Some(goal) = goal else { return Verdict::None };
        let rounds_met = self.0.iter().filter(|value| goal.is_met(**value)).count();
        match goal.is_met(self.median()) {
            _ if self.is_wide() && rounds_met > 0 && rounds_met < self.0.len() => Verdict::Undecided,
            true => Verdict::Met,
            false => Verdict::Missed,
        }
    }
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} to {})", short(self.median()), short(self.min()), short(self.max()))
    }
}

/// The value that a share `share` of the values does not exceed (nearest rank).
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// With three digits that say something.
pub(crate) fn short(value: f64) -> String {
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
    fn medians_and_quantiles_are_those_of_the_textbook() {
        assert_eq!(Rounds(vec![3.0, 1.0, 2.0]).median().total_cmp(&2.0), std::cmp::Ordering::Equal);
        assert_eq!(Rounds(vec![4.0, 1.0, 2.0, 3.0]).median().total_cmp(&2.5), std::cmp::Ordering::Equal);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99).total_cmp(&99.0), std::cmp::Ordering::Equal);
        assert_eq!(quantile(&hundred, 1.0).total_cmp(&100.0), std::cmp::Ordering::Equal);
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let ratios = Rounds(vec![8.0, 9.0, 7.0, 30.0]).over(&Rounds(vec![4.0, 3.0, 0.0, 5.0]));
        assert_eq!(ratios, Rounds(vec![2.0, 3.0, 6.0]));
        assert!((ratios.median() - 3.0).abs() < 1e-12);
    }

    #[test]
    fn rounds_far_apart_decide_only_when_all_are_on_one_side() {
        let goal = Some(Goal::AtLeast(5.0));
        assert_eq!(Rounds(vec![4.0, 6.0, 9.0]).verdict(goal), Verdict::Undecided);
        assert_eq!(Rounds(vec![6.0, 9.0, 12.0]).verdict(goal), Verdict::Met);
        assert_eq!(Rounds(vec![1.0, 2.0, 4.0]).verdict(goal), Verdict::Missed);
    }

    #[test]
    fn rounds_close_together_are_judged_by_their_median() {
        let rounds = Rounds(vec![4.9, 5.1, 5.2]);
        assert_eq!(rounds.verdict(Some(Goal::AtLeast(5.0))), Verdict::Met);
        assert_eq!(rounds.verdict(Some(Goal::AtMost(5.0))), Verdict::Missed);
        assert_eq!(rounds.verdict(None), Verdict::None);
    }

    #[test]
    fn figures_have_as_many_digits_as_say_something() {
        let shown = [0.0, 0.05, 0.9, 1.0, 1.25, 7.0, 34.56, 123.4, 1234.5, 1_234_567.0].map(short);
        assert_eq!(shown, ["0", "0.05", "0.9", "1", "1.25", "7", "34.6", "123", "1,235", "1,234,567"]);
        assert_eq!(short(f64::NAN), "–");
    }
}
