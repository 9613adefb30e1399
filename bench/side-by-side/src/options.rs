//! The command line: how much is measured, of whom, and where the page goes.

use std::path::PathBuf;
use std::time::Duration;

use bench_kit::broken::{Broken, Outcome, While as _, broken};

use crate::contestant::known;

/// How much is measured.
pub(crate) struct Scale {
    pub(crate) is_short: bool,
    pub(crate) rounds: usize,
    /// Rounds of operations at several numbers of users, which are short.
    pub(crate) growth_rounds: usize,
    /// Turns of each contestant in a round of reading, which are short too.
    pub(crate) read_turns: usize,
    /// Rounds of measurements that take minutes.
    pub(crate) crowd_rounds: usize,
    pub(crate) engine_window: Duration,
    pub(crate) login_window: Duration,
    pub(crate) read_window: Duration,
    pub(crate) storm_window: Duration,
    pub(crate) crowd_deadline: Duration,
    pub(crate) growth_window: Duration,
    pub(crate) posts: u64,
    /// Numbers of users, the smallest first.
    pub(crate) sizes: Vec<u64>,
    /// Users and logins whose bytes are counted.
    pub(crate) rows: usize,
}

impl Scale {
    fn full() -> Self {
        Self {
            is_short: false,
            rounds: 5,
            growth_rounds: 20,
            read_turns: 4,
            crowd_rounds: 3,
            engine_window: Duration::from_secs(2),
            login_window: Duration::from_secs(4),
            read_window: Duration::from_millis(500),
            storm_window: Duration::from_secs(30),
            crowd_deadline: Duration::from_secs(90),
            growth_window: Duration::from_millis(500),
            posts: 100_000,
            sizes: vec![1000, 100_000, 10_000_000],
            rows: 300,
        }
    }

    /// Shows that everything works, but too little for figures to rely on.
    fn short() -> Self {
        Self {
            is_short: true,
            rounds: 2,
            growth_rounds: 3,
            read_turns: 1,
            crowd_rounds: 1,
            engine_window: Duration::from_millis(500),
            login_window: Duration::from_secs(1),
            read_window: Duration::from_millis(200),
            storm_window: Duration::from_secs(4),
            crowd_deadline: Duration::from_secs(20),
            growth_window: Duration::from_millis(150),
            posts: 10_000,
            sizes: vec![1000, 20_000],
            rows: 50,
        }
    }
}

pub(crate) struct Options {
    pub(crate) program: PathBuf,
    pub(crate) peers_folder: PathBuf,
    pub(crate) peers: Vec<String>,
    pub(crate) work: PathBuf,
    /// The folder of the page.
    pub(crate) results: PathBuf,
    pub(crate) scale: Scale,
    pub(crate) chosen: Vec<&'static str>,
}

impl Options {
    pub(crate) fn parse(arguments: &[String], parts: &[&'static str]) -> Outcome<Self> {
        let is_short = arguments.iter().any(|argument| argument == "--short");
        let mut scale = if is_short { Scale::short() } else { Scale::full() };
        let work = std::env::var_os("BENCH_WORK").map_or_else(|| PathBuf::from("target/bench-work"), PathBuf::from);
        // Absolute, because peers are started in other folders.
        let work = std::path::absolute(work)?;
        let mut results = None;
        let mut options = Self {
            program: PathBuf::from("target/release/blog"),
            peers_folder: PathBuf::from("bench/peers"),
            peers: known().into_iter().map(str::to_owned).collect(),
            results: PathBuf::new(),
            work,
            scale: Scale::full(),
            chosen: Vec::new(),
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| Broken(format!("{argument} takes a value")));
            match argument.as_str() {
                "--short" => {}
                "--rounds" => {
                    let rounds: usize = value()?.parse().doing("--rounds")?;
                    // The others keep their proportion.
                    scale.growth_rounds = rounds * scale.growth_rounds / scale.rounds;
                    scale.crowd_rounds = scale.crowd_rounds.min(rounds);
                    scale.rounds = rounds;
                }
                "--peers" => {
                    let names = value()?.split(',').filter(|name| !name.is_empty());
                    options.peers = names.map(str::to_owned).collect();
                }
                "--sizes" => {
                    let sizes: Result<Vec<u64>, _> = value()?.split(',').map(str::parse).collect();
                    scale.sizes = sizes.doing("--sizes")?;
                }
                "--peers-dir" => options.peers_folder = value()?.into(),
                "--program" => options.program = value()?.into(),
                "--results" => results = Some(PathBuf::from(value()?)),
                name => match parts.iter().find(|part| **part == name) {
                    Some(part) => options.chosen.push(part),
                    None => return broken(format!("{name} is neither an option nor one of {}", parts.join(", "))),
                },
            }
        }
        if options.chosen.is_empty() {
            options.chosen.extend(parts);
        }
        if scale.rounds == 0 || scale.sizes.is_empty() || scale.sizes.iter().any(|size| *size < 1000) {
            return broken("there has to be a round, and a size of at least 1000");
        }
        // The published page is not made of short runs.
        let default = if is_short { options.work.join("short-results") } else { PathBuf::from("bench/results") };
        options.results = results.unwrap_or(default);
        options.scale = scale;
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Outcome<Options> {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Options::parse(&arguments, &["logins", "me"])
    }

    #[test]
    fn a_short_run_does_not_replace_the_published_page() {
        let options = parse("--short me").unwrap_or_else(|Broken(text)| panic!("{text}"));
        assert!(options.results.ends_with("short-results") && options.scale.is_short);
        assert_eq!(options.chosen, ["me"]);
    }

    #[test]
    fn rounds_change_all_numbers_of_rounds() {
        let options = parse("--rounds 10 --peers fastapi").unwrap_or_else(|Broken(text)| panic!("{text}"));
        let scale = options.scale;
        assert_eq!((scale.rounds, scale.growth_rounds, scale.crowd_rounds), (10, 40, 3));
        assert_eq!(options.peers, ["fastapi"]);
        assert_eq!(options.chosen, ["logins", "me"]);
    }

    #[test]
    fn unknown_words_are_refused() {
        assert!(parse("storms").is_err() && parse("--rounds").is_err() && parse("--rounds 0").is_err());
    }
}
