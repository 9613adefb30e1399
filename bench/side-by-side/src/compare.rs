//! A comparison of two result files: every measurement and ratio that both have, with the second over the first.

use std::fmt::Write as _;

use bench_kit::report::short;
use bench_kit::rounds::Rounds;

use crate::results::Results;

/// A table for people; measurements that only one file has are named below it.
pub(crate) fn table(first: &Results, second: &Results) -> String {
    let (first, second) = (rows(first), rows(second));
    let mut text = format!("{:<52} {:>24} {:>24} {:>7}\n", "", "first", "second", "ratio");
    let mut alone = Vec::new();
    for (name, before) in &first {
        let Some((_, after)) = second.iter().find(|(other, _)| other == name) else {
            alone.push(format!("only in the first: {name}"));
            continue;
        };
        let ratio = short(after.median() / before.median());
        // A change that the other file's rounds reach as well is no change.
        let is_apart = after.min() > before.max() || after.max() < before.min();
        let mark = if is_apart { "" } else { "  within the spread" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<52} {:>24} {:>24} {ratio:>7}{mark}", before.to_string(), after.to_string());
    }
    let known = |name: &String| first.iter().any(|(other, _)| other == name);
    alone.extend(second.iter().filter(|(name, _)| !known(name)).map(|(name, _)| format!("only in the second: {name}")));
    for line in alone {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn rows(results: &Results) -> Vec<(String, Rounds)> {
    let mut rows = Vec::new();
    for part in &results.parts {
        for measure in &part.measures {
            rows.extend(measure.by.iter().map(|by| (format!("{} {}", measure.id, by.name), by.rounds.clone())));
        }
        rows.extend(part.figures.iter().map(|figure| (figure.id.clone(), figure.rounds.clone())));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::part;

    #[test]
    fn what_both_have_is_compared_and_the_rest_is_named() {
        let (mut first, mut second) = (Results::default(), Results::default());
        first.merge(part("logins", &[("blog", 80.0), ("fastapi", 10.0)], 8.0), &["logins"]);
        second.merge(part("logins", &[("blog", 100.0), ("better-auth", 20.0)], 8.0), &["logins"]);
        let table = table(&first, &second);
        let blog = table.lines().find(|line| line.starts_with("logins-c8 blog")).expect("a row");
        assert!(blog.ends_with("1.25"), "{blog}");
        let ratio = table.lines().find(|line| line.starts_with("logins-c8-to-fastapi")).expect("a row");
        assert!(ratio.ends_with("1  within the spread"), "{ratio}");
        assert!(table.contains("only in the first: logins-c8 fastapi"));
        assert!(table.contains("only in the second: logins-c8 better-auth"));
    }
}
