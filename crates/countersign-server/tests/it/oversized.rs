//! Oversized requests: body, head, URI, fields.

use std::io::Write as _;

use crate::client::{Connection, FORM};
use crate::sandbox::{Sandbox, Server};
use crate::{PASSWORD, current_database};

/// Maximum size of a page's form.
const PAGE_FORM_BYTES_MAX: usize = 16 * 1024;

async fn server() -> (Server, impl Sized) {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url());
    (sandbox.start("serve"), (database, sandbox))
}

/// Returns the status for a head; the server may refuse it before it has read all of it.
fn status(server: &Server, head: &str) -> u16 {
    let mut connection = Connection::open(server.address);
    let _ = connection.socket().write_all(head.as_bytes());
    connection.answer().status
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let (server, _keep) = server().await;
    let long = "x".repeat(20 * 1024);
    let many = "X-Many: y\r\n".repeat(101);
    let cookies = |count| format!("Cookie: {}\r\n", "a=ü; ".repeat(count));
    for (name, line, lines, statuses) in [
        ("a long address", format!("/health?{long}"), String::new(), vec![200]),
        ("an address that is too long", format!("/health?{}", "x".repeat(40 * 1024)), String::new(), vec![414, 431]),
        ("a path that is too long", format!("/{}", "a/".repeat(20 * 1024)), String::new(), vec![414, 431]),
        ("a field that is too long", "/health".to_owned(), format!("X-Long: {long}{long}\r\n"), vec![431]),
        ("a name that is too long", "/health".to_owned(), format!("{long}{long}: y\r\n"), vec![400, 431]),
        ("too many fields", "/health".to_owned(), many, vec![431]),
        ("many cookies", "/health".to_owned(), cookies(5_000), vec![200]),
        ("cookies without end", "/health".to_owned(), cookies(10_000), vec![431]),
    ] {
        let head = format!("GET {line} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n");
        let found = status(&server, &head);
        assert!(statuses.contains(&found), "{name}: {found}");
    }
    server.get("/health").ok(200);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whether_or_not_it_says_so() {
    let (server, _keep) = server().await;
    for (path, content_type, bytes) in [
        ("/api/users", "application/json", 70_000),
        ("/api/users/token", FORM.1, 70_000),
        ("/login", FORM.1, PAGE_FORM_BYTES_MAX + 1),
    ] {
        let body = "x".repeat(bytes);
        let announced = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nContent-Length: 99999999999\r\n\r\n{body}"
        );
        assert_eq!(status(&server, &announced), 413, "{path}");
        let chunked = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n\
             {bytes:x}\r\n{body}\r\n0\r\n\r\n"
        );
        assert_eq!(status(&server, &chunked), 413, "{path}");
    }
    server.register("ada").ok(201);
}

#[tokio::test]
async fn a_form_of_very_many_fields_is_answered_like_any_other() {
    let (server, _keep) = server().await;
    server.register("ada").ok(201);
    let body = format!("{}username=ada%40example.com&password={PASSWORD}", "x=&".repeat(20_000));
    let answer = server.request("POST", "/api/users/token", &[FORM], &body);
    answer.ok(200);
    let members: Vec<String> = (0..7_000).map(|n| format!("\"{n}\":0")).collect();
    let body = format!("{{{}}}", members.join(","));
    let answer = server.request("POST", "/api/users", &[("Content-Type", "application/json")], &body);
    answer.ok(422);
}
