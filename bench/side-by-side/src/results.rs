//! The results of runs: a JSON file with every round of every measurement, into which each part is merged when it ends.

use std::fs;
use std::path::Path;

use bench_kit::broken::{Outcome, While as _};
use bench_kit::report::Goal;
use bench_kit::rounds::Rounds;
use serde::{Deserialize, Serialize};

/// All measurements, perhaps of different times.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) parts: Vec<PartResult>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PartResult {
    pub(crate) name: String,
    pub(crate) heading: String,
    /// When it began.
    pub(crate) at: String,
    pub(crate) machine: String,
    pub(crate) load_average: [f64; 2],
    /// Whether it was a short run.
    pub(crate) is_short: bool,
    /// The highest share of all cores that the load generator used, and that others used if it is known.
    pub(crate) generator_max: f64,
    pub(crate) others_max: Option<f64>,
    pub(crate) measures: Vec<Measure>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) notes: Vec<String>,
}

/// One measurement of several contestants.
#[derive(Serialize, Deserialize)]
pub(crate) struct Measure {
    /// Stable: documents link to it.
    pub(crate) id: String,
    pub(crate) what: String,
    pub(crate) unit: String,
    pub(crate) by: Vec<Subject>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) rounds: Rounds,
}

/// One value that may have a goal, most often a ratio.
#[derive(Serialize, Deserialize)]
pub(crate) struct Figure {
    /// Stable: documents link to it.
    pub(crate) id: String,
    pub(crate) what: String,
    pub(crate) unit: String,
    pub(crate) rounds: Rounds,
    pub(crate) goal: Option<Goal>,
}

impl Results {
    /// Reads a file that may not exist yet.
    pub(crate) fn read_or_new(path: &Path) -> Outcome<Self> {
        if path.exists() { Self::read(path) } else { Ok(Self::default()) }
    }

    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let text = fs::read_to_string(path).doing(path.display())?;
        serde_json::from_str(&text).doing(path.display())
    }

    pub(crate) fn write(&self, path: &Path) -> Outcome<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).doing(path.display())
    }

    /// Replaces the part's earlier results; `order` names all parts in the order of the page.
    pub(crate) fn merge(&mut self, part: PartResult, order: &[&str]) {
        self.parts.retain(|other| other.name != part.name);
        self.parts.push(part);
        self.parts.sort_by_key(|part| order.iter().position(|name| *name == part.name));
    }
}

impl Measure {
    pub(crate) fn of(&self, subject: &str) -> Option<&Rounds> {
        self.by.iter().find(|by| by.name == subject).map(|by| &by.rounds)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn part(name: &str, rates: &[(&str, f64)], ratio: f64) -> PartResult {
        let by = rates.iter().map(|(name, rate)| Subject { name: (*name).to_owned(), rounds: Rounds(vec![*rate; 3]) });
        PartResult {
            name: name.to_owned(),
            heading: format!("what {name} cost"),
            at: "2026-01-01T00:00:00Z".to_owned(),
            machine: "2 cores".to_owned(),
            load_average: [0.1, 0.9],
            is_short: false,
            generator_max: 0.02,
            others_max: Some(0.01),
            measures: vec![Measure {
                id: format!("{name}-c8"),
                what: "8 clients".to_owned(),
                unit: "logins/s".to_owned(),
                by: by.collect(),
            }],
            figures: vec![Figure {
                id: format!("{name}-c8-to-fastapi"),
                what: "over fastapi".to_owned(),
                unit: "×".to_owned(),
                rounds: Rounds(vec![ratio]),
                goal: Some(Goal::AtLeast(7.0)),
            }],
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_part_takes_the_place_of_its_earlier_run_and_stands_in_the_order_of_the_page() {
        let mut results = Results::default();
        for (name, ratio) in [("storm", 1.0), ("logins", 2.0), ("storm", 3.0)] {
            results.merge(part(name, &[("blog", 80.0)], ratio), &["logins", "storm"]);
        }
        let found: Vec<_> =
            results.parts.iter().map(|part| (part.name.as_str(), part.figures[0].rounds.median())).collect();
        assert_eq!(found, [("logins", 2.0), ("storm", 3.0)]);
    }

    #[test]
    fn written_results_can_be_read() {
        let mut results = Results::default();
        results.merge(part("logins", &[("blog", 80.0), ("fastapi", 10.0)], 8.0), &["logins"]);
        let text = serde_json::to_string(&results).expect("JSON");
        let read: Results = serde_json::from_str(&text).expect("the same");
        assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
    }
}
