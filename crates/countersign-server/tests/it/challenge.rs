//! Runs the proof-of-work example of `docs/api.md` against a server.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::sandbox::{Sandbox, Server};
use crate::{PASSWORD, current_database};

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Runs the example for a registration and returns the new account's id, or the error.
fn example(server: &Server, name: &str) -> Result<String, String> {
    let mut child = Command::new("/usr/bin/python3")
        .arg("-I")
        .arg(documents().join("examples/solve_challenge.py"))
        .args([&format!("http://{}", server.address), name, &format!("{name}@example.com")])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().expect("a pipe").write_all(PASSWORD.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    if output.status.success() {
        return Ok(stdout.trim().to_owned());
    }
    assert!(!stderr.contains("Traceback"), "it broke instead of being refused: {stderr}");
    Err(stderr.split(':').next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn whoever_does_the_work_as_the_documents_show_is_registered() {
    for (when, refusal) in [("always", Some("challenge_required")), ("off", None)] {
        let database = current_database().await;
        let sandbox = Sandbox::with_database(database.url()).set("CHALLENGE", when).set("CHALLENGE_BITS", 10);
        let server = sandbox.start("serve");
        match refusal {
            Some(code) => drop(server.register("eve").problem(403, code)),
            None => drop(server.register("eve").ok(201)),
        }
        let id = example(&server, "ada").unwrap();
        assert_eq!(server.me(&server.token("ada")).ok(200)["id"], id.as_str());
        assert_eq!(example(&server, "ada"), Err("username_taken".to_owned()));
    }
}

#[test]
fn the_page_about_the_api_shows_the_example_that_is_kept_as_a_file() {
    let page = fs::read_to_string(documents().join("api.md")).unwrap();
    let example = fs::read_to_string(documents().join("examples/solve_challenge.py")).unwrap();
    let shown: Vec<&str> = page.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(shown, [example]);
}
