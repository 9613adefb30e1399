//! Decides how many measurements become one figure, and how far that figure can be trusted.

use std::fmt;

/// The value that a share `share` of the values does not exceed (nearest rank).
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// The middle value, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    median_in_place(&mut values)
}

fn median_in_place(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    if values.is_empty() {
        return f64::NAN;
    }
    let is_odd = values.len() % 2 == 1;
    let (below, middle, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    if is_odd { *middle } else { f64::midpoint(*middle, below.iter().copied().fold(f64::MIN, f64::max)) }
}

/// The figures of several rounds.
pub(crate) struct Rounds(pub(crate) Vec<f64>);

impl Rounds {
    pub(crate) fn median(&self) -> f64 {
        median(&self.0)
    }

    pub(crate) fn max(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    fn min(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

impl fmt::Display for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "median {:.3} ({:.3} to {:.3}, n={})", self.median(), self.min(), self.max(), self.0.len())
    }
}

/// The ratio of the medians of two measurements that were taken in pairs.
pub(crate) struct PairedRatio {
    pub(crate) ratio: f64,
    /// Nineteen of twenty bootstrap samples of the pairs have a ratio in between.
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl PairedRatio {
    const SAMPLES: usize = 1000;

    pub(crate) fn of(pairs: &[(f64, f64)]) -> Self {
        let ratio = |pairs: &mut dyn Iterator<Item = (f64, f64)>| {
            let (mut above, mut below): (Vec<_>, Vec<_>) = pairs.unzip();
            median_in_place(&mut above) / median_in_place(&mut below)
        };
        // The same samples at every run, so that equal measurements give equal figures.
        let mut random = SplitMix64(0x5eed);
        let samples: Vec<f64> = (0..Self::SAMPLES)
            .map(|_| ratio(&mut (0..pairs.len()).map(|_| pairs[random.below(pairs.len())])))
            .collect();
        Self {
            ratio: ratio(&mut pairs.iter().copied()),
            from: quantile(&samples, 0.025),
            to: quantile(&samples, 0.975),
        }
    }
}

/// Steele, Lea and Flood's generator: enough for drawing samples.
struct SplitMix64(u64);

impl SplitMix64 {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((u128::from(mixed ^ (mixed >> 31)) * end as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quantiles_are_those_of_the_textbook() {
        assert_eq!(median(&[3.0, 1.0, 2.0]).total_cmp(&2.0), std::cmp::Ordering::Equal);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]).total_cmp(&2.5), std::cmp::Ordering::Equal);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99).total_cmp(&99.0), std::cmp::Ordering::Equal);
        assert_eq!(quantile(&hundred, 1.0).total_cmp(&100.0), std::cmp::Ordering::Equal);
    }

    #[test]
    fn an_unanswered_request_is_the_slowest() {
        assert!(quantile(&[1.0, f64::INFINITY, 2.0], 1.0).is_infinite());
    }

    #[test]
    fn equal_measurements_have_the_ratio_one() {
        let pairs: Vec<(f64, f64)> = (1..=50).map(|value| (f64::from(value), f64::from(value))).collect();
        let PairedRatio { ratio, from, to } = PairedRatio::of(&pairs);
        assert!((ratio - 1.0).abs() < 1e-12 && from <= 1.0 && to >= 1.0);
    }
}
