use countersign::http::problem;
use serde_json::Value;

use crate::client::Answer;
use crate::current_database;
use crate::sandbox::{Sandbox, Server};

async fn server() -> (Server, impl Sized) {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url());
    (sandbox.start("serve"), (database, sandbox))
}

/// Returns the references of a page.
fn references(page: &str) -> Vec<String> {
    let attributes = ["href=\"", "src=\""].into_iter().flat_map(|attribute| page.split(attribute).skip(1));
    attributes.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

fn gzipped(server: &Server, path: &str) -> Answer {
    server.request("GET", path, &[("Accept-Encoding", "gzip")], "")
}

#[tokio::test]
async fn the_documentation_is_a_page_that_runs_nothing_inline() {
    let (server, _keep) = server().await;
    let answer = server.get("/docs");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'self'") && policy.contains("style-src 'self'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
    let page = answer.text();
    for script in page.split("<script").skip(1) {
        let (tag, rest) = script.split_once('>').unwrap();
        assert!(tag.contains("src=\"") && rest.starts_with("</script>"), "{script}");
    }
    assert!(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onload="), "{page}");
}

#[tokio::test]
async fn everything_the_documentation_needs_comes_from_this_server() {
    let (server, _keep) = server().await;
    let references = references(&server.get("/docs").text());
    let assets: Vec<&String> = references.iter().filter(|reference| reference.as_str() != "openapi.json").collect();
    assert!(assets.len() >= 5, "{references:?}");
    for asset in assets {
        assert!(asset.starts_with("docs/") && !asset.contains("//"), "{asset}");
        let answer = server.get(&format!("/{asset}"));
        assert_eq!(answer.status, 200, "{asset}");
        let content_type = match asset.rsplit('.').next().unwrap() {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            "svg" => "image/svg+xml; charset=utf-8",
            other => panic!("what is {other}?"),
        };
        assert_eq!(answer.header("content-type"), Some(content_type), "{asset}");
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"), "{asset}");
        assert_eq!(server.get(&format!("/{}", asset.replace("docs/", "docs/0"))).status, 404, "{asset}");
    }
}

#[tokio::test]
async fn the_openapi_document_is_the_one_that_the_command_prints() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url());
    let printed: Value = serde_json::from_str(&sandbox.run(&["openapi"]).with(0).stdout).unwrap();
    let answer = sandbox.start("serve").get("/openapi.json");
    assert_eq!(answer.ok(200), printed);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
}

#[tokio::test]
async fn documents_are_compressed_for_whoever_accepts_it() {
    let (server, _keep) = server().await;
    let script = references(&server.get("/docs").text()).into_iter().find(|path| path.contains("bundle")).unwrap();
    for path in ["/docs", "/openapi.json", "/problems", &format!("/{script}")] {
        let plain = server.get(path);
        let small = gzipped(&server, path);
        assert_eq!((plain.status, small.status), (200, 200), "{path}");
        assert_eq!(
            (plain.header("content-encoding"), small.header("content-encoding")),
            (None, Some("gzip")),
            "{path}"
        );
        assert_eq!(small.header("content-type"), plain.header("content-type"), "{path}");
        assert!(small.header("vary").is_some_and(|vary| vary.eq_ignore_ascii_case("accept-encoding")), "{path}");
        // RFC 1952, section 2.3: a magic number at the start, and the uncompressed length at the end.
        let (_, trailer) = small.body.split_last_chunk::<4>().unwrap();
        assert_eq!(u32::from_le_bytes(*trailer) as usize, plain.body.len(), "{path}");
        assert!(small.body.starts_with(&[0x1f, 0x8b]) && small.body.len() < plain.body.len(), "{path}");
    }
}

#[tokio::test]
async fn answers_with_secrets_are_not_compressed() {
    let (server, _keep) = server().await;
    server.register("ada").ok(201);
    let token = server.token("ada");
    let headers = [("Authorization", format!("Bearer {token}")), ("Accept-Encoding", "gzip".to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = server.request("GET", "/api/users/me", &headers, "");
    assert_eq!(answer.ok(200)["username"], "ada");
    assert_eq!(answer.header("content-encoding"), None);
}

#[tokio::test]
async fn the_ways_to_the_documentation_lead_there() {
    let (server, _keep) = server().await;
    for (path, target) in [("/", "/account"), ("/redoc", "docs")] {
        let answer = server.get(path);
        assert_eq!((answer.status, answer.header("location")), (307, Some(target)), "{path}");
    }
}

#[tokio::test]
async fn every_kind_of_problem_is_described_where_its_type_points() {
    let (server, _keep) = server().await;
    let answer = server.get("/problems");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let page = answer.text();
    let kinds: Vec<_> = problem::KINDS.iter().chain(countersign_server::KINDS).collect();
    for kind in &kinds {
        assert_eq!(page.matches(&format!("id=\"{}\"", kind.code)).count(), 1, "{}", kind.code);
        assert!(page.contains(kind.title), "{}", kind.code);
    }
    assert_eq!(page.matches(" id=\"").count(), kinds.len());
    let r#type = server.get("/api/nothing").ok(404)["type"].as_str().unwrap().to_owned();
    let anchor = r#type.strip_prefix("/problems#").unwrap();
    assert!(page.contains(&format!("id=\"{anchor}\"")), "{anchor}");
}
