//! Request smuggling: requests whose end a proxy in front might see elsewhere are refused, or are the last of their
//! connection, so that no part of a body is treated as a request.

use std::io::Write as _;

use crate::client::Connection;
use crate::current_database;
use crate::sandbox::{Sandbox, Server};

/// A request that must never get a response as part of a body; its response is recognisable.
const SMUGGLED: &str = "GET /static/profile_pics/default.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// The last request, which closes a connection that is kept alive.
const LAST: &str = "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

async fn server() -> (Server, impl Sized) {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url());
    (sandbox.start("serve"), (database, sandbox))
}

/// Sends the request and [`LAST`], and returns everything received.
fn exchange(server: &Server, request: &str) -> String {
    let mut connection = Connection::open(server.address);
    // The server may refuse it before it has read everything.
    let _ = connection.socket().write_all(format!("{request}{LAST}").as_bytes());
    connection.everything()
}

/// Whether there was no response, or a single 400.
fn is_refusal(answers: &str) -> bool {
    answers.is_empty() || (answers.starts_with("HTTP/1.1 400 ") && answers.matches("HTTP/1.1 ").count() == 1)
}

/// A login with these header lines and this body.
fn login(lines: &str, body: &str) -> String {
    format!(
        "POST /api/users/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         {lines}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn what_may_end_elsewhere_is_refused_or_the_last_of_its_connection() {
    let (server, _keep) = server().await;
    let chunked = format!("0\r\n\r\n{SMUGGLED}");
    let sized = SMUGGLED.len();
    for (name, lines, body) in [
        ("length, then chunks", format!("Content-Length: {}\r\nTransfer-Encoding: chunked", chunked.len()), &*chunked),
        ("chunks, then length", format!("Transfer-Encoding: chunked\r\nContent-Length: {}", chunked.len()), &chunked),
        ("chunks, then a length of nothing", "Transfer-Encoding: chunked\r\nContent-Length: 0".to_owned(), &chunked),
        ("two lengths", format!("Content-Length: 0\r\nContent-Length: {sized}"), SMUGGLED),
        ("two lengths in one line", format!("Content-Length: 0, {sized}"), SMUGGLED),
        ("a length with a sign", "Content-Length: +0".to_owned(), SMUGGLED),
        ("a negative length", "Content-Length: -1".to_owned(), SMUGGLED),
        ("a length in hexadecimal digits", "Content-Length: 0x0".to_owned(), SMUGGLED),
        ("a length with a space", "Content-Length: 1 0".to_owned(), SMUGGLED),
        ("a length of nothing at all", "Content-Length: ".to_owned(), SMUGGLED),
        ("a length beyond all numbers", "Content-Length: 18446744073709551616".to_owned(), SMUGGLED),
        ("another coding", "Transfer-Encoding: xchunked".to_owned(), &chunked),
        ("chunks that are not last", "Transfer-Encoding: chunked, identity".to_owned(), &chunked),
        ("chunks and another line", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity".to_owned(), &chunked),
        ("chunks with a parameter", "Transfer-Encoding: chunked;q=1".to_owned(), &chunked),
        ("chunks in quotes", "Transfer-Encoding: \"chunked\"".to_owned(), &chunked),
        ("chunks after a vertical tab", "Transfer-Encoding: \u{b}chunked".to_owned(), &chunked),
        ("a space before the colon", "Transfer-Encoding : chunked".to_owned(), &chunked),
        ("a tab before the colon", "Content-Length\t: 0".to_owned(), SMUGGLED),
        ("a folded line", "Transfer-Encoding:\r\n chunked".to_owned(), &chunked),
        ("a folded length", format!("Content-Length: 0\r\n\t{sized}"), SMUGGLED),
        ("a line without a name", ": x".to_owned(), SMUGGLED),
        ("a line without a colon", "Transfer-Encoding chunked".to_owned(), &chunked),
        ("a line that begins with a space", " Transfer-Encoding: chunked".to_owned(), &chunked),
        ("a carriage return in a value", "X: y\rTransfer-Encoding: chunked".to_owned(), &chunked),
        ("NUL in a value", "X: y\0".to_owned(), SMUGGLED),
        ("NUL in a name", "X\0: y".to_owned(), SMUGGLED),
        ("another host beside", "Host: evil.example\r\nContent-Length: 0".to_owned(), SMUGGLED),
    ] {
        let answers = exchange(&server, &login(&lines, body));
        // If it was parsed, as a form without fields, it is the last request.
        let is_last = answers.starts_with("HTTP/1.1 422 ") && answers.matches("HTTP/1.1 ").count() == 1;
        assert!(is_refusal(&answers) || is_last, "{name}: {answers}");
    }
}

#[tokio::test]
async fn a_body_in_chunks_ends_where_its_last_chunk_says() {
    let (server, _keep) = server().await;
    let honest = "e\r\nusername=ada%4\r\n1e\r\n0example.com&password=nothing!\r\n0\r\n\r\n";
    let answers = exchange(&server, &login("Transfer-Encoding: chunked", &format!("{honest}{SMUGGLED}")));
    assert!(answers.starts_with("HTTP/1.1 401 ") && answers.contains("image/jpeg"), "two requests: {answers}");

    for (name, body) in [
        ("a size beyond all numbers", "fffffffffffffffff\r\n"),
        ("a size that wraps around", "10000000000000000\r\n"),
        ("a negative size", "-1\r\n"),
        ("a size with a sign", "+0\r\n\r\n"),
        ("a size in the usual notation", "0x0\r\n\r\n"),
        ("no size", "\r\n\r\n"),
        ("a size that ends in a line feed alone", "0\n\r\n"),
        ("an extension with a line feed", "0;x\ny\r\n\r\n"),
        ("a chunk that is longer than its size", "1\r\nab\r\n0\r\n\r\n"),
        ("a chunk that ends in a line feed alone", "1\r\na\n0\r\n\r\n"),
        ("a trailer that is no line", "0\r\nnonsense\0\r\n\r\n"),
        ("an extension without end", &format!("0;{}\r\n\r\n", "x".repeat(64 * 1024))),
        ("trailers without end", &format!("0\r\n{}\r\n", "x: y\r\n".repeat(20_000))),
    ] {
        let request = login("Transfer-Encoding: chunked", &format!("{body}{SMUGGLED}"));
        let answers = exchange(&server, &request);
        assert!(is_refusal(&answers), "{name}: {answers}");
    }
}

#[tokio::test]
async fn what_comes_after_a_body_that_was_not_read_is_not_taken_for_a_request() {
    let (server, _keep) = server().await;
    // Refused before its body is read.
    let length = SMUGGLED.len();
    for head in [
        format!("POST /api/users HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: {length}"),
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}"),
        format!("DELETE /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}"),
        format!("POST /login HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nContent-Length: {length}"),
    ] {
        let answers = exchange(&server, &format!("{head}\r\n\r\n{SMUGGLED}"));
        assert!(answers.starts_with("HTTP/1.1 ") && !answers.contains("image/jpeg"), "{head}: {answers}");
        // A further request may get a response, as the second one.
        let answers = exchange(&server, &format!("{head}\r\n\r\n{SMUGGLED}{SMUGGLED}"));
        assert!(answers.matches("image/jpeg").count() <= 1, "{head}: {answers}");
    }
}

#[tokio::test]
async fn a_request_says_once_which_host_it_is_for() {
    let (server, _keep) = server().await;
    for (head, status) in [
        ("GET /health HTTP/1.1\r\nHost: localhost\r\n", 200),
        ("GET /health HTTP/1.0\r\n", 200),
        ("GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n", 200),
        // The header would have to be ignored (RFC 9112, section 3.2.2), but a proxy that forwards such a request may not do that.
        ("GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n", 400),
        ("GET /health HTTP/1.1\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost: localhost\r\nhOST: evil.example\r\n", 400),
        ("GET /health HTTP/1.0\r\nHost: localhost\r\nHost: evil.example\r\n", 400),
        ("GET /health HTTP/1.1\r\nHost : localhost\r\n", 400),
        ("GET /health\r\n", 400),
        ("GET /health HTTP/9.9\r\nHost: localhost\r\n", 400),
        ("GET  /health HTTP/1.1\r\nHost: localhost\r\n", 400),
        ("GET /health HTTP/1.1 \r\nHost: localhost\r\n", 400),
        ("G\0T /health HTTP/1.1\r\nHost: localhost\r\n", 400),
        ("GET /hea\0lth HTTP/1.1\r\nHost: localhost\r\n", 400),
    ] {
        let answers = exchange(&server, &format!("{head}\r\n"));
        let (line, seen) = (format!("HTTP/1.1 {status} "), answers.replacen("HTTP/1.0", "HTTP/1.1", 1));
        assert!(seen.starts_with(&line), "{head:?}: {answers}");
    }
}
