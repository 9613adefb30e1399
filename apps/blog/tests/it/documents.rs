use std::fs;
use std::path::Path;

use blog::Blog;
use countersign_server::{openapi, problems_reference, settings::settings_reference};
use serde_json::{Value, json};

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

#[test]
fn what_takes_a_users_token_takes_the_session_cookie_as_well_and_the_document_says_so() {
    let document = serde_json::to_value(openapi::<Blog>()).unwrap();
    let paths = document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let asked: Vec<&Value> = paths.filter_map(|operation| operation.get("security")).collect();
    let of_users = json!([{ "OAuth2PasswordBearer": [] }, { "SessionCookie": [] }]);
    let others: Vec<&&Value> = asked.iter().filter(|security| **security != &of_users).collect();
    let of_services = json!([{ "IntrospectionBearer": [] }, { "IntrospectionBasic": [] }]);
    assert_eq!(others, [&&of_services]);
    assert!(asked.len() > 10, "{}", asked.len());
}

/// Compares a file of `docs/` with the generated text; writes it first if requested.
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
