//! The monitoring files for operators name only metrics that the program exposes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::client::Connection;
use crate::current_database;
use crate::metrics::metrics_address;
use crate::sandbox::Sandbox;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every metric of a running program, by its name in queries, with its type; includes metrics without samples.
async fn told() -> BTreeMap<String, String> {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("METRICS_LISTEN", "127.0.0.1:0");
    let server = sandbox.start("serve");
    let mut connection = Connection::open(metrics_address(&server));
    connection.request("GET", "/metrics", &[], "");
    let text = connection.answer().text();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    types
        .map(|(name, kind)| {
            let suffix = if kind == "counter" { "_total" } else { "" };
            (format!("{name}{suffix}"), kind.to_owned())
        })
        .collect()
}

/// Returns every word that looks like one of our metrics.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("countersign_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// Returns the names that the program does not expose.
fn unknown(names: &BTreeSet<String>, told: &BTreeMap<String, String>) -> Vec<String> {
    let is_told = |name: &str| {
        let parts = ["_bucket", "_sum", "_count"];
        let whole = parts.iter().find_map(|part| name.strip_suffix(part));
        told.contains_key(name) || whole.is_some_and(|whole| told.get(whole).is_some_and(|kind| kind == "histogram"))
    };
    names.iter().filter(|name| !is_told(name)).cloned().collect()
}

/// Collects every query of the dashboard.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if let ("expr" | "query" | "definition", Value::String(query)) = (name.as_str(), value) {
                    found.push(query.clone());
                }
                queries(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn every_metric_is_in_the_manual_and_the_manual_names_no_other() {
    let told = told().await;
    let manual = file("docs/monitoring.md");
    let rows = manual.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<String> = rows.flat_map(names_in).collect();
    let told: BTreeSet<String> = told.into_keys().collect();
    assert_eq!(told.difference(&documented).collect::<Vec<_>>(), Vec::<&String>::new(), "not in docs/monitoring.md");
    assert_eq!(documented.difference(&told).collect::<Vec<_>>(), Vec::<&String>::new(), "only in docs/monitoring.md");
}

#[tokio::test]
async fn the_dashboard_asks_for_what_is_told_by_a_source_that_is_chosen() {
    let told = told().await;
    let dashboard: Value = serde_json::from_str(&file("deploy/grafana/countersign.json")).unwrap();
    let mut asked = Vec::new();
    queries(&dashboard, &mut asked);
    let names: BTreeSet<String> = asked.iter().flat_map(|query| names_in(query)).collect();
    assert!(names.len() > 25, "{names:?}");
    assert_eq!(unknown(&names, &told), Vec::<String>::new());
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36);
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{panel}");
        if panel["type"] != "row" {
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{panel}");
        }
    }
}

#[tokio::test]
async fn every_alert_asks_for_what_is_told_and_the_manual_says_what_to_do() {
    let told = told().await;
    let rules = file("deploy/prometheus/alerts.yml");
    let names = names_in(&rules);
    assert_eq!(unknown(&names, &told), Vec::<String>::new());
    let manual = file("docs/monitoring.md");
    let sections: BTreeSet<&str> = manual.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let alerts: BTreeSet<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in &alerts {
        assert!(sections.contains(alert), "docs/monitoring.md does not say what to do about {alert}");
        let runbook = format!("runbook: docs/monitoring.md#{}\n", alert.to_ascii_lowercase());
        assert!(rules.contains(&runbook), "{alert}");
    }
    let runbooks: BTreeSet<&str> = sections.iter().copied().filter(|name| name.starts_with("Countersign")).collect();
    assert_eq!(runbooks, alerts);
}
