//! Decides how measurements are summed up: medians over rounds, and ratios within a round.

use std::fmt;

use crate::engines::Engine;

/// CPU milliseconds per hash, for each engine and round.
#[derive(Default)]
pub struct Figures(Vec<(Engine, Vec<f64>)>);

impl Figures {
    pub fn add(&mut self, engine: &Engine, cpu_ms: f64) {
        match self.0.iter_mut().find(|(known, _)| known == engine) {
            Some((_, values)) => values.push(cpu_ms),
            None => self.0.push((*engine, vec![cpu_ms])),
        }
    }

    /// Another thread's figures of the same rounds.
    pub fn mean_with(&mut self, other: &Self) {
        for ((_, ours), (_, theirs)) in self.0.iter_mut().zip(&other.0) {
            for (our, their) in ours.iter_mut().zip(theirs) {
                *our = f64::midpoint(*our, *their);
            }
        }
    }

    fn of(&self, engine: &Engine) -> &[f64] {
        &self.0.iter().find(|(known, _)| known == engine).expect("the engine was measured").1
    }

    /// Median, smallest and largest of the rounds' ratios.
    pub fn ratio(&self, above: &Engine, below: &Engine) -> (f64, f64, f64) {
        spread(self.of(above).iter().zip(self.of(below)).map(|(a, b)| a / b).collect())
    }
}

fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| engine | CPU ms per hash, median (min to max) |\n|---|---|")?;
        for (engine, values) in &self.0 {
            let (median, min, max) = spread(values.clone());
            writeln!(f, "| {engine} | {median:.1} ({min:.1} to {max:.1}) |")?;
        }
        Ok(())
    }
}
