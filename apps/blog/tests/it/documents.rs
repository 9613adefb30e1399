use std::fs;
use std::path::Path;

use blog::Blog;

#[test]
fn the_manual_of_the_settings_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    let made = countersign_server::settings::settings_reference::<Blog>();
    if update_asked() {
        fs::write(&path, &made).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == made, "docs/settings.md is out of date; run this test with UPDATE_DOCS=1");
}

#[expect(clippy::disallowed_methods, reason = "tests have no settings; one variable makes them write the documents")]
fn update_asked() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}
