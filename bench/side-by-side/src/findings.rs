//! The findings of a part, gathered round by round and printed at once.

use bench_kit::report::Goal;
use bench_kit::rounds::Rounds;
use bench_kit::usage::Spent;

use crate::contestant::OURS;
use crate::results::{Figure, Measure, Subject};

#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) measures: Vec<Measure>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) notes: Vec<String>,
    pub(crate) generator_max: f64,
    /// `None` if several servers worked at once.
    pub(crate) others_max: Option<f64>,
}

impl Findings {
    /// Adds a round of a measurement, which `what` describes in the first.
    pub(crate) fn add(&mut self, id: &str, what: &str, unit: &str, subject: &str, value: f64) {
        if !value.is_finite() {
            return;
        }
        let place = self.measures.iter().position(|measure| measure.id == id).unwrap_or_else(|| {
            let (id, what, unit) = (id.to_owned(), what.to_owned(), unit.to_owned());
            self.measures.push(Measure { id, what, unit, by: Vec::new() });
            self.measures.len() - 1
        });
        let by = &mut self.measures[place].by;
        match by.iter_mut().find(|by| by.name == subject) {
            Some(by) => by.rounds.0.push(value),
            None => by.push(Subject { name: subject.to_owned(), rounds: Rounds(vec![value]) }),
        }
    }

    /// Notes the processor time of a measurement, and describes it.
    pub(crate) fn spent(&mut self, spent: Spent) -> String {
        self.generator_max = self.generator_max.max(spent.generator);
        self.others_max = Some(self.others_max.unwrap_or_default().max(spent.others));
        let [generator, others] = [spent.generator, spent.others].map(|share| share * 100.0);
        format!("generator {generator:.1} %, others {others:.0} %{}", spent.guard())
    }

    /// Adds the ratio of ours to another contestant, round by round.
    pub(crate) fn ratio(&mut self, id: &str, to: &str, goal: Option<Goal>) {
        let Some(measure) = self.measures.iter().find(|measure| measure.id == id) else { return };
        let (Some(ours), Some(other)) = (measure.of(OURS), measure.of(to)) else { return };
        let (what, rounds) = (format!("{}: ratio to {to}", measure.what), ours.over(other));
        self.figure(format!("{id}-to-{}", to.replace(' ', "-")), what, "×", rounds, goal);
    }

    /// Adds the ratios of ours to all others of a measurement; `goals` names those with a goal.
    pub(crate) fn ratios(&mut self, id: &str, goals: &[(&str, f64)]) {
        let Some(measure) = self.measures.iter().find(|measure| measure.id == id) else { return };
        let others: Vec<String> =
            measure.by.iter().map(|by| by.name.clone()).filter(|name| !name.starts_with(OURS)).collect();
        for other in others {
            let goal = goals.iter().find(|(name, _)| *name == other).map(|(_, least)| Goal::AtLeast(*least));
            self.ratio(id, &other, goal);
        }
    }

    pub(crate) fn figure(&mut self, id: String, what: String, unit: &str, rounds: Rounds, goal: Option<Goal>) {
        if rounds.0.is_empty() {
            return;
        }
        let wanted = goal.map(|goal| format!(", {goal}: {}", rounds.verdict(Some(goal)))).unwrap_or_default();
        println!("  {id}: {rounds} {unit}{wanted}");
        self.figures.push(Figure { id, what, unit: unit.to_owned(), rounds, goal });
    }

    /// Adds a note for readers of the page, once.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.notes.contains(&text) {
            println!("  note: {text}");
            self.notes.push(text);
        }
    }
}
