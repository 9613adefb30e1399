//! The inventories of what is logged (`docs/logging.md`) and of keys (`docs/keys.md`) match the code.

use std::collections::BTreeSet;
use std::fs;

use crate::tidy::{code, sources, tests_of_the_workspace, workspace};

/// From the most important.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

fn read(file: &str) -> String {
    fs::read_to_string(workspace().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the arguments of each call of a macro in a source.
fn calls(code: &str, name: &str) -> Vec<Vec<String>> {
    let call = format!("{name}!(");
    let starts = code.match_indices(&call).map(|(start, _)| start);
    let is_whole = |start: &usize| !code[..*start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    starts.filter(is_whole).map(|start| arguments(&code[start + call.len()..])).collect()
}

/// Returns the arguments before the closing parenthesis of a call.
fn arguments(code: &str) -> Vec<String> {
    let (mut arguments, mut depth, mut in_text, mut is_escaped) = (vec![String::new()], 0, false, false);
    for character in code.chars() {
        match character {
            ')' if depth == 0 && !in_text => break,
            ',' if depth == 0 && !in_text => {
                arguments.push(String::new());
                continue;
            }
            '(' | '[' | '{' if !in_text => depth += 1,
            ')' | ']' | '}' if !in_text => depth -= 1,
            '"' if !is_escaped => in_text = !in_text,
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped;
        arguments.last_mut().unwrap().push(character);
    }
    arguments.into_iter().map(|argument| argument.trim().to_owned()).filter(|argument| !argument.is_empty()).collect()
}

/// Returns the text of a literal, with its lines joined.
fn literal(argument: &str) -> Option<String> {
    let lines = argument.strip_prefix('"')?.strip_suffix('"')?.split("\\\n");
    Some(lines.enumerate().map(|(at, line)| if at == 0 { line } else { line.trim_start() }).collect())
}

/// Returns the message and the names of the fields among the arguments of a call that logs.
fn message_and_fields(arguments: &[String]) -> (Option<String>, Vec<String>) {
    let (mut message, mut fields) = (None, Vec::new());
    for argument in arguments.iter().map(String::as_str) {
        let (field, value) = argument.split_once('=').map_or((argument, ""), |(field, value)| (field.trim(), value));
        let text = if field == "message" { literal(value.trim()) } else { literal(argument) };
        match text {
            Some(text) => message = Some(text),
            None => fields.push(format!("`{}`", field.trim_start_matches(['%', '?']))),
        }
    }
    (message, fields)
}

/// Returns a row for each call that logs in the programs: level, message, fields and target.
fn log_lines() -> Vec<String> {
    let mut rows = BTreeSet::new();
    for (folder, name) in [
        ("crates/countersign/src", "countersign"),
        ("crates/countersign-db/src", "countersign_db"),
        ("crates/countersign-server/src", "countersign_server"),
        ("apps/blog/src", "blog"),
    ] {
        for (file, source) in sources(folder).into_iter().filter(|(file, _)| !file.starts_with("testing")) {
            let code = code(&source);
            let target = format!("{name}::{}", file.trim_end_matches(".rs").replace('/', "::"));
            for (rank, level) in LEVELS.into_iter().enumerate() {
                for arguments in calls(&code, level) {
                    let (message, fields) = message_and_fields(&arguments);
                    let message = message.unwrap_or_else(|| panic!("{folder}/{file}: a line without a message"));
                    let row = format!("| {level} | {message} | {} | `{target}` |", fields.join(", "));
                    rows.insert((rank, target.clone(), row));
                }
            }
        }
    }
    rows.into_iter().map(|(_, _, row)| row).collect()
}

/// Returns a row for each kind of event: name, meaning, outcome.
fn events() -> Vec<String> {
    let source = read("crates/countersign/src/model/event.rs");
    let (_, rest) = source.split_once("pub enum EventKind {").unwrap();
    let (kinds, rest) = rest.split_once("\n}").unwrap();
    let (mut rows, mut meaning) = (Vec::new(), String::new());
    for line in kinds.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("/// ") {
            meaning = format!("{meaning} {text}");
        } else if let Some(kind) = line.strip_suffix(',') {
            let (_, name) = rest.split_once(&format!("Self::{kind} => \"")).unwrap();
            let (name, _) = name.split_once('"').unwrap();
            let is_refused = rest.contains(&format!("Self::{kind} => Outcome::Failure"));
            let outcome = if is_refused { "failure" } else { "success" };
            rows.push(format!("| `{name}` |{} | {outcome} |", std::mem::take(&mut meaning)));
        }
    }
    rows
}

/// Replaces the rows of the table with this header.
fn with_rows(text: &str, header: &str, rows: &[String]) -> String {
    let (before, table) = text.split_once(&format!("{header}\n")).unwrap_or_else(|| panic!("no table {header}"));
    let (old, after) = table.split_once("\n\n").expect("text after the table");
    let rule = old.lines().next().unwrap_or_default();
    format!("{before}{header}\n{rule}\n{}\n\n{after}", rows.join("\n"))
}

#[test]
fn the_inventory_of_logs_has_every_line_and_every_event() {
    let (lines, events) = (log_lines(), events());
    assert!(lines.len() > 50 && events.len() > 12, "{} lines, {} events", lines.len(), events.len());
    let found = read("docs/logging.md");
    let made = with_rows(&found, "| level | message | fields | target |", &lines);
    let made = with_rows(&made, "| event | meaning | outcome |", &events);
    if update_asked() {
        fs::write(workspace().join("docs/logging.md"), &made).unwrap();
    } else {
        assert!(
            found == made,
            "docs/logging.md is out of date; run this test with UPDATE_DOCS=1 and read the difference"
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings; one variable makes them write the documents")]
fn update_asked() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// Returns the words in code font in the given column of the tables of a section.
fn words(document: &str, section: &str, column: usize) -> BTreeSet<String> {
    let (_, rest) = document.split_once(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no section {section}"));
    let lines = rest.split("\n## ").next().unwrap_or_default().lines().filter(|line| line.starts_with("| "));
    let cells = lines.filter_map(|line| line.split('|').nth(column + 1));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2).map(str::to_owned)).collect()
}

#[test]
fn what_is_never_logged_is_proven_by_tests_that_exist() {
    let tests = tests_of_the_workspace();
    let named = words(&read("docs/logging.md"), "Never logged", 2);
    assert!(named.len() >= 5, "{named:?}");
    for name in named {
        assert!(tests.contains(&format!("fn {name}(")), "no test is called {name}");
    }
}

#[test]
fn the_inventory_of_keys_has_every_key_and_secret() {
    let inventory = read("docs/keys.md");
    let mut derived = BTreeSet::new();
    for (file, source) in sources("crates/countersign/src/secrets") {
        let code = code(&source);
        let labels = if file == "keys.rs" { "=> \"" } else { "derived_key(key, \"" };
        derived.extend(code.split(labels).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
    assert!(derived.len() >= 9, "{derived:?}");
    assert_eq!(words(&inventory, "Derived from SECRET_KEY", 0), derived);

    let settings = read("docs/settings.md");
    let rows = settings.lines().filter(|line| line.starts_with("| `"));
    let is_secret = |line: &&str| line.contains(" | yes | ") || line.split('`').nth(1).unwrap().contains("KEY");
    let secrets: Vec<&str> = rows.filter(is_secret).map(|line| line.split('`').nth(1).unwrap()).collect();
    assert!(secrets.len() >= 10, "{secrets:?}");
    let listed = words(&inventory, "Set by the operator", 0);
    for secret in secrets {
        assert!(listed.contains(secret), "docs/keys.md does not list {secret}");
    }
}
