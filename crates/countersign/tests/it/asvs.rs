//! The OWASP ASVS 5.0 table is complete, has nothing open at level 1, and names only things that exist.

use std::collections::BTreeSet;
use std::fs;

use crate::tidy::{code, sources, tests_of_the_workspace, workspace};

/// Number of level 1 and level 2 requirements in each chapter of version 5.0.0.
const REQUIREMENTS: [(usize, usize); 17] = [
    (8, 19),
    (4, 7),
    (8, 11),
    (2, 8),
    (4, 5),
    (13, 22),
    (6, 12),
    (4, 3),
    (4, 3),
    (5, 24),
    (3, 11),
    (3, 6),
    (1, 12),
    (2, 7),
    (3, 10),
    (0, 16),
    (0, 7),
];

struct Row {
    /// `6.2.1`
    number: String,
    level: String,
    state: String,
    why: String,
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(workspace().join("docs/asvs.md")).expect("the table");
    let rows = text.lines().filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit());
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, requirement, level, state, why] = cells[..] else { panic!("five columns: {line}") };
        assert!(!requirement.is_empty() && !why.is_empty(), "{line}");
        let text = str::to_owned;
        Row { number: text(number), level: text(level), state: text(state), why: text(why) }
    })
    .collect()
}

#[test]
fn the_table_has_every_requirement_of_levels_1_and_2_once() {
    let rows = rows();
    let numbers: BTreeSet<&str> = rows.iter().map(|row| row.number.as_str()).collect();
    assert_eq!(numbers.len(), rows.len(), "a number stands twice");
    for (chapter, (level_1, level_2)) in (1..).zip(REQUIREMENTS) {
        let count = |level: &str| {
            let of_chapter = rows.iter().filter(|row| row.number.split('.').next() == Some(&chapter.to_string()));
            of_chapter.filter(|row| row.level == level).count()
        };
        assert_eq!((count("1"), count("2")), (level_1, level_2), "V{chapter}");
    }
    let (level_1, level_2) = REQUIREMENTS.iter().fold((0, 0), |sum, chapter| (sum.0 + chapter.0, sum.1 + chapter.1));
    assert_eq!((level_1, level_2, rows.len()), (70, 183, 253));
}

#[test]
fn nothing_is_open_at_level_1() {
    for row in rows() {
        assert!(["met", "not applicable", "open"].contains(&row.state.as_str()), "{}: {}", row.number, row.state);
        assert!(row.level != "1" || row.state != "open", "{} is open", row.number);
    }
}

#[test]
fn every_claim_of_the_table_names_a_test_or_a_file_that_exists() {
    let tests = tests_of_the_workspace();
    for row in rows() {
        let (mut shown, quoted) = (false, row.why.split('`').skip(1).step_by(2));
        for quoted in quoted {
            let is_word =
                |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            let is_file = ["md", "toml", "lock"].contains(&quoted.rsplit('.').next().unwrap_or_default());
            if quoted.split('_').count() > 2 && quoted.split('_').all(is_word) {
                assert!(tests.contains(&format!("fn {quoted}(")), "{}: no test is called {quoted}", row.number);
                shown = true;
            } else if is_file || (quoted.contains('/') && !quoted.starts_with('/')) {
                assert!(workspace().join(quoted).exists(), "{}: there is no {quoted}", row.number);
                shown = true;
            }
        }
        assert!(shown || row.state != "met", "{} is a claim alone", row.number);
    }
}

#[test]
fn no_source_starts_another_program() {
    for folder in
        ["crates/countersign/src", "crates/countersign-db/src", "crates/countersign-server/src", "apps/blog/src"]
    {
        // Test helpers are not part of the programs.
        for (file, source) in sources(folder).into_iter().filter(|(file, _)| !file.starts_with("testing")) {
            assert!(!code(&source).contains("process::Command"), "{folder}/{file}");
        }
    }
}

/// Parses the numbers of a version; omitted ones are zero.
fn version(text: &str) -> [u64; 3] {
    let mut numbers = text.split(['.', '-', '+']).map(|number| number.parse().unwrap_or(0));
    std::array::from_fn(|_| numbers.next().unwrap_or(0))
}

#[test]
fn no_dependency_is_one_that_is_refused() {
    let read = |file: &str| fs::read_to_string(workspace().join(file)).expect("a file of the workspace");
    let (refusals, lock) = (read("deny.toml"), read("Cargo.lock"));
    let refused: Vec<(&str, &str)> =
        refusals.split("crate = \"").skip(1).filter_map(|rest| rest.split('"').next()?.split_once(":<")).collect();
    assert!(refused.len() >= 10, "{refused:?}");
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| package.split(key).nth(1).and_then(|rest| rest.split('"').next()).expect("a value");
        let (name, found) = (value("name = \""), value("version = \""));
        for (_, fixed) in refused.iter().filter(|(refused, _)| *refused == name) {
            assert!(version(found) >= version(fixed), "{name} {found} is refused, {fixed} is not");
        }
    }
}
