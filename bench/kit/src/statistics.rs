//! Quantiles, medians, and ratios of paired measurements with a bootstrap interval.

/// The value that a share `share` of the values does not exceed (nearest rank).
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(f64::NAN)
}

/// The middle value, or the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
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

/// The ratio of the medians of two measurements that were taken in pairs.
pub struct PairedRatio {
    pub ratio: f64,
    /// The ratios of 95 % of the bootstrap samples lie between `from` and `to`.
    pub from: f64,
    pub to: f64,
}

impl PairedRatio {
    const SAMPLES: usize = 1000;

    pub fn of(pairs: &[(f64, f64)]) -> Self {
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

/// Steele, Lea and Flood's generator: good enough to draw samples.
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
