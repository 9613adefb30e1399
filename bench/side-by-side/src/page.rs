//! The results as a page of Markdown with an anchor for every row, and drawings beside it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bench_kit::broken::{Outcome, While as _};
use bench_kit::report::short;
use bench_kit::rounds::{Rounds, SPREAD_MAX, Verdict};

use crate::contestant::OURS;
use crate::plot::{self, Bar};
use crate::results::{Measure, PartResult, Results};

/// The page's beginning.
const INTRODUCTION: &str = "\
# Side by side

Made by `bench/run`; do not edit. [How it is measured](../side-by-side/README.md) stands beside the benchmark, and every round is in
[latest.json](latest.json).

Values are medians of the rounds, with the lowest and the highest round. All contestants take turns within each round, and
ratios are made within rounds: on a shared machine ratios say much, absolute values little. `blog` is this
repository's example application, `bare axum` a handler that repeats the blog's bytes without working them out, `bare engine`
the hashing alone.
";

/// The measurements that are drawn if they were taken.
const DRAWN: [&str; 20] = [
    "logins-c1",
    "logins-c8",
    "logins-c64",
    "logins-c1000",
    "register",
    "me-sqlite",
    "me-postgres",
    "posts-sqlite-first",
    "posts-postgres-first",
    "posts-sqlite-deep",
    "posts-postgres-deep",
    "pictures",
    "storm-p50",
    "storm-p99",
    "cost-start",
    "cost-idle",
    "cost-peak",
    "cost-login",
    "cost-bytes-user",
    "cost-bytes-session",
];

/// Writes the page and the drawings into a folder.
pub(crate) fn write(results: &Results, folder: &Path) -> Outcome<()> {
    for part in &results.parts {
        for measure in part.measures.iter().filter(|measure| DRAWN.contains(&measure.id.as_str())) {
            let bars: Vec<Bar> = measure
                .by
                .iter()
                .map(|by| {
                    let is_ours = by.name.starts_with(OURS);
                    Bar { name: by.name.clone(), rounds: by.rounds.clone(), is_ours }
                })
                .collect();
            draw(folder, &measure.id, &measure.what, &measure.unit, &bars)?;
        }
        for database in databases(part) {
            let bars = growth(part, database);
            draw(folder, &format!("growth-{database}"), &growth_title(database), "×", &bars)?;
        }
    }
    let path = folder.join("README.md");
    fs::write(&path, text(results)).doing(path.display())
}

fn draw(folder: &Path, id: &str, title: &str, unit: &str, bars: &[Bar]) -> Outcome<()> {
    let path = folder.join(format!("{id}.svg"));
    fs::write(&path, plot::bars(title, unit, bars)).doing(path.display())
}

/// The databases of a part that compares sizes.
fn databases(part: &PartResult) -> impl Iterator<Item = &'static str> {
    ["sqlite", "postgres"].into_iter().filter(|database| !growth(part, database).is_empty())
}

fn growth(part: &PartResult, database: &str) -> Vec<Bar> {
    let prefix = format!("growth-{database}-");
    let ratios = part.figures.iter().filter_map(|figure| {
        let name = figure.id.strip_prefix(&prefix)?.replace('-', " ");
        Some(Bar { name, rounds: figure.rounds.clone(), is_ours: true })
    });
    ratios.collect()
}

fn growth_title(database: &str) -> String {
    format!("Time of an operation over that with the fewest users, {database}")
}

/// The page.
pub(crate) fn text(results: &Results) -> String {
    let mut page = INTRODUCTION.to_owned();
    if results.parts.iter().any(|part| part.is_short) {
        page += "\n**Parts of this were only tried out (`--short`): their figures are too few to rely on.**\n";
    }
    page += "\n## Goals\n\n| goal | wanted | measured | verdict |\n|---|---|---|---|\n";
    for figure in results.parts.iter().flat_map(|part| &part.figures) {
        let Some(goal) = figure.goal else { continue };
        let verdict = match figure.rounds.verdict(Some(goal)) {
            Verdict::Met => "met".to_owned(),
            other => format!("**{other}**"),
        };
        let measured = rounds(&figure.rounds);
        line(
            &mut page,
            format_args!("| [{}](#{}) | {goal} {} | {measured} | {verdict} |", figure.what, figure.id, figure.unit),
        );
    }
    line(
        &mut page,
        format_args!(
            "\n*wide*: the highest round is more than {SPREAD_MAX} times the lowest. The median then decides nothing: a goal is \
             met or missed only if every round says so."
        ),
    );
    for part in &results.parts {
        page += &section(part);
    }
    page
}

fn section(part: &PartResult) -> String {
    let mut text = format!("\n## {}\n\n{}.\n\n", capital(&part.name), part.heading);
    let [from, to] = part.load_average;
    let tried = if part.is_short { " **Only tried out.**" } else { "" };
    let others = part.others_max.map(|share| format!(", others at most {:.0} %", share * 100.0)).unwrap_or_default();
    line(
        &mut text,
        format_args!(
            "{}; {}; load average {from:.2} before, {to:.2} after; the load generator took at most {:.0} % of all cores{others}.{tried}\n",
            part.at,
            part.machine,
            part.generator_max * 100.0,
        ),
    );
    for note in &part.notes {
        line(&mut text, format_args!("- {note}"));
    }
    if !part.notes.is_empty() {
        text.push('\n');
    }
    for measure in part.measures.iter().filter(|measure| DRAWN.contains(&measure.id.as_str())) {
        line(&mut text, format_args!("![{}]({}.svg)\n", measure.what, measure.id));
    }
    for database in databases(part) {
        line(&mut text, format_args!("![{}](growth-{database}.svg)\n", growth_title(database)));
    }
    text += &measures(&part.measures);
    if !part.figures.is_empty() {
        text += "\n| ratio | unit | rounds | wanted | verdict |\n|---|---|---|---|---|\n";
    }
    for figure in &part.figures {
        let wanted = figure.goal.map(|goal| goal.to_string()).unwrap_or_default();
        line(
            &mut text,
            format_args!(
                "| <a id=\"{}\"></a>{} | {} | {} | {wanted} | {} |",
                figure.id,
                figure.what,
                figure.unit,
                rounds(&figure.rounds),
                figure.rounds.verdict(figure.goal)
            ),
        );
    }
    text
}

/// A table with a column for each contestant.
fn measures(measures: &[Measure]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for by in measures.iter().flat_map(|measure| &measure.by) {
        if !names.contains(&by.name.as_str()) {
            names.push(&by.name);
        }
    }
    let mut text = format!("| measured | unit | {} |\n|---|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for measure in measures {
        let values: Vec<String> =
            names.iter().map(|name| measure.of(name).map_or_else(|| "–".to_owned(), rounds)).collect();
        let Measure { id, what, unit, .. } = measure;
        line(&mut text, format_args!("| <a id=\"{id}\"></a>{what} | {unit} | {} |", values.join(" | ")));
    }
    text
}

fn rounds(rounds: &Rounds) -> String {
    if rounds.0.len() == 1 {
        return short(rounds.median());
    }
    let wide = if rounds.is_wide() { " *wide*" } else { "" };
    format!("{rounds}{wide}")
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn line(page: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(page, "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::part;

    #[test]
    fn every_row_has_an_anchor_and_every_goal_a_verdict() {
        let mut results = Results::default();
        results.merge(part("logins", &[("blog", 80.0), ("fastapi", 10.0)], 8.0), &["logins"]);
        results.merge(part("other", &[("blog", 30.0), ("fastapi", 10.0)], 3.0), &["logins", "other"]);
        let page = text(&results);
        for id in ["logins-c8", "logins-c8-to-fastapi", "other-c8", "other-c8-to-fastapi"] {
            assert!(page.contains(&format!("<a id=\"{id}\"></a>")), "{id} in {page}");
        }
        assert!(page.contains("| [over fastapi](#logins-c8-to-fastapi) | ≥ 7 × | 8 | met |"), "{page}");
        assert!(page.contains("| [over fastapi](#other-c8-to-fastapi) | ≥ 7 × | 3 | **MISSED** |"), "{page}");
    }
}
