use std::path::{Path, PathBuf};
use std::{fs, iter};

use blog::Blog;
use countersign_server::{openapi, problems_reference, settings::settings_reference};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
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
    // An operation for everybody says that too: its list is empty.
    let asked: Vec<&Value> =
        paths.map(|operation| &operation["security"]).filter(|security| *security != &json!([])).collect();
    assert!(!asked.contains(&&Value::Null), "an operation says nothing of its security");
    let of_users = json!([{ "OAuth2PasswordBearer": [] }, { "SessionCookie": [] }]);
    let others: Vec<&&Value> = asked.iter().filter(|security| **security != &of_users).collect();
    let of_services = json!([{ "IntrospectionBearer": [] }, { "IntrospectionBasic": [] }]);
    assert_eq!(others, [&&of_services]);
    assert!(asked.len() > 10, "{}", asked.len());
}

/// The files of the book are also read on their own, so the same links must lead somewhere in both.
#[test]
fn the_links_of_documents_lead_somewhere() {
    let root = workspace();
    let documents = markdown_files(&root);
    assert!(documents.len() > 60, "{documents:?}");
    let broken: Vec<String> = documents
        .iter()
        .flat_map(|document| {
            let name = document.strip_prefix(&root).unwrap().display();
            let links = broken_links(&root, document, &fs::read_to_string(document).unwrap());
            links.into_iter().map(move |link| format!("{name}: {link}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_wrong_file_and_a_wrong_fragment_are_broken_links() {
    let root = workspace();
    let text = "# Twice\n\n# Twice\n\n[](#twice) [](#twice-1) [](#twice-2) [](#none) [](operating.md) [](none.md) \
                [](operating.md#secrets) [](operating.md#none) [](../README.md) [](https://example.org/none)";
    let broken = broken_links(&root, &root.join("docs/page.md"), text);
    assert_eq!(broken, ["#twice-2", "#none", "none.md", "operating.md#none", "../README.md"]);
    assert_eq!(broken_links(&root, &root.join("PAGE.md"), "[](README.md) [](docs/none.md)"), ["docs/none.md"]);
}

#[test]
fn the_book_has_every_document() {
    let docs = workspace().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let mut listed: Vec<PathBuf> = links(&summary).iter().map(|link| docs.join(link)).collect();
    listed.push(docs.join("SUMMARY.md"));
    listed.sort();
    assert_eq!(markdown_files(&docs), listed);
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns the links of a document that lead nowhere, except those to other sites.
fn broken_links(root: &Path, document: &Path, text: &str) -> Vec<String> {
    let docs = root.join("docs");
    let is_page = document.starts_with(&docs) && !document.ends_with("SUMMARY.md");
    let leads_somewhere = |link: &str| {
        let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
        let has_fragment = |text: &str| fragment.is_empty() || anchors(text).contains(&fragment.to_owned());
        if path.is_empty() {
            return has_fragment(text);
        }
        document.parent().unwrap().join(path).canonicalize().is_ok_and(|target| {
            // The book has no page of the name README, and nothing outside its folder.
            let is_in_book = target.starts_with(&docs) && !target.ends_with("README.md");
            (is_in_book || !is_page) && has_fragment(&fs::read_to_string(&target).unwrap_or_default())
        })
    };
    links(text).into_iter().filter(|link| !link.contains(':') && !leads_somewhere(link)).collect()
}

/// Returns the Markdown files below a folder, sorted, without those of builds and packages.
fn markdown_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !["target", "node_modules", ".git"].iter().any(|made| path.ends_with(made)) {
            files.extend(markdown_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn links(text: &str) -> Vec<String> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
        .filter_map(|event| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
            _ => None,
        })
        .collect()
}

/// Returns the fragments of a text: its headings, as forges and mdBook derive them, and its `id` attributes.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
            (Event::End(TagEnd::Heading(_)), Some(text)) => {
                let kept = text.to_lowercase().replace(' ', "-");
                let name: String = kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect();
                // A repeated heading is numbered.
                let numbered = (1..).map(|number| format!("{name}-{number}"));
                let free = iter::once(name.clone()).chain(numbered).find(|name| !anchors.contains(name));
                anchors.extend(free);
                heading = None;
            }
            _ => {}
        }
    }
    anchors.extend(text.split("id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    anchors
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
