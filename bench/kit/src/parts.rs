//! The command line of a benchmark: `--short`, and the names of the parts to measure.

use std::path::PathBuf;

use crate::broken::{Broken, Outcome, While as _, broken};
use crate::report::{self, Figure};

/// A part of a benchmark that measures a `B`.
pub struct Part<B> {
    pub name: &'static str,
    pub heading: &'static str,
    pub measure: fn(&B) -> Outcome<Vec<Figure>>,
}

/// What the command line asks for.
pub struct Choice<B: 'static> {
    /// Whether to measure only enough to see that it works.
    pub is_short: bool,
    parts: Vec<&'static Part<B>>,
}

impl<B> Choice<B> {
    /// The parts that `arguments` name; all of them if they name none.
    pub fn parse(arguments: impl Iterator<Item = String>, all: &'static [Part<B>]) -> Outcome<Self> {
        let mut choice = Self { is_short: false, parts: Vec::new() };
        for argument in arguments {
            match all.iter().find(|part| part.name == argument) {
                Some(part) => choice.parts.push(part),
                None if argument == "--short" => choice.is_short = true,
                None => return broken(format!("{argument} is neither --short nor the name of a part")),
            }
        }
        if choice.parts.is_empty() {
            choice.parts.extend(all);
        }
        Ok(choice)
    }

    /// Measures the chosen parts and prints their figures.
    pub fn measure(&self, bench: &B) -> Outcome<()> {
        let mut figures = Vec::new();
        for part in &self.parts {
            println!("\n{}: {}", part.name, part.heading);
            figures.extend((part.measure)(bench).doing(part.name)?);
        }
        report::print(&figures);
        Ok(())
    }
}

/// The next argument, a path that the benchmark's `run` script passes.
pub fn path(arguments: &mut impl Iterator<Item = String>) -> Outcome<PathBuf> {
    let path = arguments.next().map(PathBuf::from);
    path.ok_or_else(|| Broken("a path is missing: start the benchmark with its `run`, which knows it".to_owned()))
}

/// Whether the rest of the command line is `--short`, where there are no parts.
pub fn is_short(mut arguments: impl Iterator<Item = String>) -> Outcome<bool> {
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(false),
        (Some("--short"), None) => Ok(true),
        _ => broken("there is one option, --short"),
    }
}
