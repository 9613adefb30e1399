use std::fs;
use std::path::Path;

use blog::Blog;
use countersign_server::{openapi, problems_reference, settings::settings_reference};

#[test]
fn the_manual_of_the_settings_is_current() {
    assert_current("settings.md", &settings_reference::<Blog>());
}

#[test]
fn the_manual_of_the_problems_is_current() {
    assert_current("problems.md", &problems_reference::<Blog>());
}

#[test]
fn the_published_openapi_document_is_current() {
    let document = openapi::<Blog>().to_pretty_json().unwrap();
    assert_current("openapi.json", &(document + "\n"));
}

/// Compares a file of `docs/` with what the code makes; told to, writes it first.
fn assert_current(name: &str, made: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if update_asked() {
        fs::write(&path, made).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == made, "docs/{name} is out of date; run this test with UPDATE_DOCS=1 and read the difference");
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings; one variable makes them write the documents")]
fn update_asked() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}
