//! Measurements of all engines: medians over rounds, and ratios within a round.

use std::fmt;

use bench_kit::rounds::Rounds;

use crate::engines::Engine;

/// CPU milliseconds per hash, for each engine and round.
#[derive(Default)]
pub(crate) struct Figures(Vec<(Engine, Rounds)>);

impl Figures {
    pub(crate) fn add(&mut self, engine: &Engine, cpu_ms: f64) {
        match self.0.iter_mut().find(|(known, _)| known == engine) {
            Some((_, rounds)) => rounds.0.push(cpu_ms),
            None => self.0.push((*engine, Rounds(vec![cpu_ms]))),
        }
    }

    /// Takes the mean with another thread's figures of the same rounds.
    pub(crate) fn mean_with(&mut self, other: &Self) {
        for ((_, ours), (_, theirs)) in self.0.iter_mut().zip(&other.0) {
            for (our, their) in ours.0.iter_mut().zip(&theirs.0) {
                *our = f64::midpoint(*our, *their);
            }
        }
    }

    fn of(&self, engine: &Engine) -> &Rounds {
        &self.0.iter().find(|(known, _)| known == engine).expect("the engine was measured").1
    }

    /// The ratios of two engines, round by round.
    pub(crate) fn ratio(&self, above: &Engine, below: &Engine) -> Rounds {
        self.of(above).over(self.of(below))
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| engine | CPU ms per hash, median (min to max) |\n|---|---|")?;
        for (engine, rounds) in &self.0 {
            writeln!(f, "| {engine} | {:.1} ({:.1} to {:.1}) |", rounds.median(), rounds.min(), rounds.max())?;
        }
        Ok(())
    }
}
