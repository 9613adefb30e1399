//! The rounds of one measurement: their median, their spread, and whether the spread allows a verdict.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::report::{Goal, short};
use crate::statistics::median;

/// If the largest round is more than this times the smallest, the median alone decides nothing.
pub const SPREAD_MAX: f64 = 1.5;

/// Whether a goal was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
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
pub struct Rounds(pub Vec<f64>);

impl Rounds {
    pub fn median(&self) -> f64 {
        median(&self.0)
    }

    pub fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// The ratios to `others`, round by round, without rounds that either side lacks or that divide by zero.
    #[must_use]
    pub fn over(&self, others: &Self) -> Self {
        let ratios = self.0.iter().zip(&others.0).map(|(above, below)| above / below);
        Self(ratios.filter(|ratio| ratio.is_finite()).collect())
    }

    /// Whether the rounds are so far apart that their median cannot be trusted.
    pub fn is_wide(&self) -> bool {
        self.max() > self.min() * SPREAD_MAX
    }

    /// If the rounds are far apart, a goal is met or missed only if all of them say so.
    pub fn verdict(&self, goal: Option<Goal>) -> Verdict {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
