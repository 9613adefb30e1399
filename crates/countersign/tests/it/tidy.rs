//! Architecture rules that the compiler does not check: allowed imports, and where each kind of code belongs.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the path and text of every Rust file below a folder of the workspace; paths are relative to that folder.
pub(crate) fn sources(folder: &str) -> Vec<(String, String)> {
    let root = workspace().join(folder);
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if !path.ends_with("target") && !path.ends_with("node_modules") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below the root").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("a source file")));
            }
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

/// Strips comments and the unit tests at the end.
pub(crate) fn code(source: &str) -> String {
    let source = source.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default();
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Returns the room of a file: its top folder, or its own name if it is at the top.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// Returns the first two segments of each path that begins with `crate::`, with groups expanded.
fn imports(code: &str) -> Vec<(String, Option<String>)> {
    let mut paths = Vec::new();
    for (start, _) in code.match_indices("crate::") {
        if start > 0 && code.as_bytes()[start - 1] == b'$' {
            continue; // a macro's path is resolved where it is used
        }
        let rest = &code[start + "crate::".len()..];
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => group[..group.find('}').expect("a closed group")].split(',').collect(),
            None => vec![rest],
        };
        for path in names {
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let mut path =
                path.trim().split("::").map(|name| name.chars().take_while(|c| is_name(*c)).collect::<String>());
            if let Some(first) = path.next().filter(|first| !first.is_empty()) {
                paths.push((first, path.next().filter(|second| !second.is_empty())));
            }
        }
    }
    paths
}

fn imported_rooms(code: &str) -> Vec<String> {
    imports(code).into_iter().map(|(first, _)| first).collect()
}

/// Optional capabilities. Their inner rooms have the names of the outer ones and follow the same import rules.
const CAPABILITIES: [&str; 0] = [];

/// Returns the capability of a file, and the room whose rules apply to it.
fn place<'f>(file: &'f str, capabilities: &[&str]) -> (Option<&'f str>, &'f str) {
    match file.split_once('/') {
        Some((first, inside)) if capabilities.contains(&first) => (Some(first), room(inside)),
        _ => (None, room(file)),
    }
}

/// Returns the imports of a file that go upward, or sideways to another capability.
fn wrong_imports(file: &str, source: &str, capabilities: &[&str]) -> Vec<String> {
    let own = |name: &str| name.starts_with(char::is_lowercase) && name != "entity_id";
    let (capability, room) = place(file, capabilities);
    let mut wrong = Vec::new();
    for (first, second) in imports(&code(source)).into_iter().filter(|(first, _)| own(first)) {
        let imported = if capabilities.contains(&first.as_str()) {
            // The list of capabilities may import all of them; each capability may import only itself.
            let is_own = capability == Some(first.as_str());
            if room == "capabilities" || (is_own && second.is_none()) {
                continue;
            }
            // Handlers call the crate's operations through its public face, but a capability's handlers call its own directly.
            if is_own && second.as_deref() == Some("operations") && matches!(room, "http" | "pages") {
                continue;
            }
            second.filter(|_| is_own)
        } else {
            Some(first.clone())
        };
        if !imported.is_some_and(|imported| imported == room || may_import(room).contains(&imported.as_str())) {
            wrong.push(format!("{file} imports {first}"));
        }
    }
    wrong
}

/// Returns what the files of a room may import. Capitalised names are the public face: the handle, and the types of its
/// operations.
fn may_import(room: &str) -> &'static [&'static str] {
    match room {
        "model" | "session_cache" | "catalogue" | "hooks" => &["model"],
        "transport" => &["model", "transport"],
        "config" => &["hooks", "model", "templates", "transport"],
        "limits" => &["config", "model"],
        "templates" => &["catalogue", "model"],
        "jobs" => &["accounts", "config", "jobs", "limits", "mail", "media", "model", "secrets", "store"],
        "mail" => &["catalogue", "config", "model", "templates", "transport"],
        "clock" | "event_counts" | "workers" => &[],
        "error" => &["secrets"],
        "secrets" => &["config", "model", "secrets"],
        "media" => &["config", "model", "secrets", "media"],
        "store" => &["model", "store"],
        "accounts" => &[
            "clock",
            "config",
            "error",
            "limits",
            "mail",
            "media",
            "model",
            "secrets",
            "session_cache",
            "store",
            "event_counts",
            "workers",
        ],
        "operations" => &[
            "accounts",
            "config",
            "error",
            "limits",
            "media",
            "model",
            "secrets",
            "session_cache",
            "store",
            "operations",
        ],
        "pages" => &["accounts", "catalogue", "config", "http", "model", "pages", "templates"],
        "http" => &["accounts", "config", "media", "model", "http"],
        "mount" => &["http", "pages"],
        "operator" => &["event_counts", "jobs", "media", "operations", "secrets"],
        "lib" | "testing" => &[
            "accounts",
            "clock",
            "config",
            "error",
            "http",
            "jobs",
            "limits",
            "mail",
            "media",
            "model",
            "mount",
            "operations",
            "pages",
            "secrets",
            "store",
            "event_counts",
            "testing",
        ],
        other => panic!("{other} is a new room: say here what it may import"),
    }
}

#[test]
fn the_library_imports_only_downward() {
    // Unit tests in files of their own may import anything.
    let is_tests = |file: &str| file.ends_with("/tests.rs") || file.contains("/tests/");
    let files = sources("crates/countersign/src").into_iter().filter(|(file, _)| !is_tests(file));
    let wrong: Vec<String> = files.flat_map(|(file, source)| wrong_imports(&file, &source, &CAPABILITIES)).collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_capability_imports_what_is_below_its_inner_rooms_and_no_other_capability() {
    let (one, other) = ("second_factor", "passkey");
    let is_wrong = |file: &str, source: &str| !wrong_imports(file, source, &[one, other]).is_empty();
    for (file, source) in [
        ("second_factor/operations/enrol.rs", "use crate::store;\nuse crate::second_factor::model::Seed;"),
        ("second_factor/store.rs", "use crate::model::UserId;"),
        ("second_factor/http.rs", "use crate::http::problem::Problem;\nuse crate::second_factor::operations::Enrol;"),
        ("capabilities.rs", "use crate::{passkey, second_factor};"),
    ] {
        assert!(!is_wrong(file, source), "{file}: {source}");
    }
    for (file, source) in [
        ("second_factor/operations/enrol.rs", "use crate::passkey::model::Credential;"),
        ("second_factor/store.rs", "use crate::second_factor::operations::Enrol;"),
        ("second_factor/store.rs", "use crate::operations::Tokens;"),
        ("operations/session/log_in.rs", "use crate::second_factor::model::Seed;"),
        ("http.rs", "use crate::{http, second_factor};"),
        ("operations/read.rs", "use crate::http::problem::Problem;"),
    ] {
        assert!(is_wrong(file, source), "{file}: {source}");
    }
}

#[test]
fn verbs_and_resources_do_not_import_one_another() {
    for (folder, shared) in [
        ("crates/countersign/src/operations", &["steps"][..]),
        ("crates/countersign/src/http", &["cookie", "current_user", "fields", "path", "problem", "site"]),
        ("crates/countersign/src/pages", &["form", "theme", "next", "outcome", "picture", "shown", "visitor"]),
        ("apps/blog/src/operations", &[]),
        ("apps/blog/src/http", &["listing"]),
        ("apps/blog/src/pages", &["markdown", "shown"]),
    ] {
        let files = sources(folder);
        let layer = folder.rsplit('/').next().unwrap_or_default();
        // An operation is its own module; a resource or page includes all its parts.
        let module = |file: &str| match layer {
            "operations" => file.trim_end_matches(".rs").replace('/', "::"),
            _ => room(file).to_owned(),
        };
        let names: Vec<String> = files.iter().map(|(file, _)| module(file)).collect();
        for (file, source) in files.iter().filter(|(file, _)| !shared.contains(&room(file))) {
            let (code, own) = (code(source), module(file));
            // A file and its folder of submodules belong together.
            let is_other = |other: &str| !own.starts_with(other) && !other.starts_with(&own);
            let is_shared = |other: &str| shared.iter().any(|shared| other.split("::").next() == Some(shared));
            for other in names.iter().filter(|other| is_other(other) && !is_shared(other)) {
                let last = other.rsplit("::").next().unwrap_or_default();
                for path in [format!("super::{last}::"), format!("crate::{layer}::{other}::")] {
                    assert!(!code.contains(&path), "{folder}/{file} imports {other}");
                }
            }
        }
    }
}

#[test]
fn problems_import_no_resource() {
    for (file, source) in sources("crates/countersign/src/http").iter().filter(|(file, _)| room(file) == "problem") {
        // All of `http/` uses problems, so importing anything from there would be circular.
        let http = if file == "problem.rs" { "super::" } else { "super::super::" };
        let code = code(source);
        let imports = code.contains(http) || imported_rooms(&code).iter().any(|room| room == "http");
        assert!(!imports, "http/{file} imports from http/");
    }
}

#[test]
fn each_dependency_has_its_rooms() {
    let rooms: [(&str, &str, &[&str]); 14] = [
        ("crates/countersign/src", "sqlx::", &["store"]),
        ("crates/countersign/src", "axum::", &["http", "mount", "pages", "testing"]),
        ("crates/countersign/src", "getrandom::", &["secrets"]),
        ("crates/countersign/src", "jsonwebtoken::", &["secrets"]),
        ("crates/countersign/src", "serde::", &["http", "secrets"]),
        ("crates/countersign/src", "lettre::", &["transport"]),
        ("crates/countersign/src", "minijinja::", &["templates"]),
        ("crates/countersign/src", "fluent_bundle::", &["catalogue"]),
        ("crates/countersign/src", "object_store::", &["media"]),
        ("crates/countersign-server/src", "object_store::", &["backup"]),
        ("crates/countersign-server/src", "use age::", &["backup", "cli", "settings"]),
        ("crates/countersign-server/src", "rustls::", &["cli", "serve", "tls"]),
        ("apps/blog/src", "sqlx::", &["store"]),
        ("apps/blog/src", "serde::", &["http"]),
    ];
    for (folder, dependency, allowed) in rooms {
        for (file, source) in sources(folder) {
            let used = code(&source).contains(dependency);
            assert!(!used || allowed.contains(&place(&file, &CAPABILITIES).1), "{folder}/{file} uses {dependency}");
        }
    }
    for (file, source) in sources("crates/countersign/src/model") {
        assert!(!source.contains("serde") || source.contains("no serde"), "{file}: what leaves is a wire type");
    }
    for (file, source) in sources("crates/countersign-server/src") {
        assert!(!code(&source).contains("sqlx::"), "{file}: the shell has no SQL");
    }
}

#[test]
fn an_account_is_changed_and_a_session_begun_in_one_way() {
    for (call, alone) in [
        ("db().write()", "operations/steps/change.rs"),
        ("store::changes::insert(", "operations/steps/change.rs"),
        ("store::users::lock(", "operations/steps/change.rs"),
        ("store::sessions::insert(", "operations/steps/start_session.rs"),
        ("store::users::note_login(", "operations/steps/start_session.rs"),
        ("store::sessions::delete", "operations/steps/voids.rs"),
    ] {
        let users: Vec<String> = sources("crates/countersign/src")
            .into_iter()
            // Jobs write their own rows and delete expired ones.
            .filter(|(file, source)| room(file) != "jobs" && code(source).contains(call))
            .map(|(file, _)| file)
            .collect();
        assert_eq!(users, [alone], "{call}");
    }
}

#[test]
fn forks_between_the_databases_are_few() {
    let forks: usize = ["crates/countersign/src/store", "apps/blog/src/store"]
        .into_iter()
        .flat_map(sources)
        .map(|(_, source)| source.matches("DatabaseKind::Sqlite").count())
        .sum();
    assert!(forks <= 5, "{forks} statements differ between the databases");
}

#[test]
fn every_file_says_first_what_it_holds() {
    for folder in
        ["crates/countersign/src", "crates/countersign-db/src", "crates/countersign-server/src", "apps/blog/src"]
    {
        for (file, source) in sources(folder) {
            let is_described = source.starts_with("//! ") || source.starts_with("#![doc = include_str!(");
            assert!(is_described, "{folder}/{file} does not say what it holds");
            assert!(source.lines().count() <= 500, "{folder}/{file} is too long to be read at once");
            let name = file.rsplit('/').next().unwrap_or_default();
            for vague in ["mod.rs", "utils.rs", "common.rs", "helpers.rs", "types.rs", "core.rs", "misc.rs"] {
                assert_ne!(name, vague, "{folder}/{file} says nothing by its name");
            }
        }
    }
}

#[test]
fn files_begin_and_public_texts_speak_in_plain_english() {
    let root = workspace();
    for folder in ["crates", "apps", "examples", "tests", "bench"] {
        for (file, source) in sources(folder) {
            assert!(
                !source.starts_with("//! Decides"),
                "{folder}/{file} begins with what it decides, not with what it holds"
            );
        }
    }
    let mut texts: Vec<PathBuf> =
        ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md", "docs/openapi.json"]
            .into_iter()
            .chain(["crates/countersign/locales/en.ftl", "apps/blog/locales/en.ftl"])
            .map(|file| root.join(file))
            .collect();
    let documents = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    texts.extend(documents.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    assert!(texts.len() > 15);
    for path in texts {
        let text = fs::read_to_string(&path).unwrap().to_lowercase();
        // Names of tests and code stand between backticks.
        let text: String = text.split('`').step_by(2).collect();
        for idiom in [
            "whoever",
            "one's own",
            "oneself",
            " are such",
            " of old",
            "so many",
            "so often",
            "likewise",
            "in vain",
            "as far as it",
        ] {
            assert!(!text.contains(idiom), "{} says `{idiom}`; use the plain word", path.display());
        }
    }
}

/// Returns the text of all sources that may contain the test of a claim.
pub(crate) fn tests_of_the_workspace() -> String {
    let folders =
        ["crates/countersign", "crates/countersign-argon2", "crates/countersign-db", "crates/countersign-server"];
    folders.into_iter().chain(["apps/blog"]).flat_map(sources).map(|(_, source)| source).collect()
}

#[test]
fn every_claim_of_the_threat_model_names_a_test_that_exists() {
    let text = fs::read_to_string(workspace().join("docs/threat-model.md")).expect("the threat model");
    let tests = tests_of_the_workspace();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && line.contains('`')).collect();
    assert!(rows.len() >= 10, "{} claims", rows.len());
    for row in rows {
        let proof = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let names: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "a claim without a test: {row}");
        for name in names {
            assert!(tests.contains(&format!("fn {name}(")), "no test is called {name}");
        }
    }
}
