//! Requests refused before their bodies are read: the complete response arrives, however the client sends.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;

use axum::http::Request;
use bytes::Bytes;

use crate::client::{Answer, Connection, FORM};
use crate::current_database;
use crate::sandbox::{PATIENCE, Sandbox, Server};

/// More than the socket buffers between a client and a server that does not read.
const LARGE: usize = 7 * 1024 * 1024;
/// More than the server reads to keep a connection.
const TOO_LARGE: usize = 9 * 1024 * 1024;
const JSON: (&str, &str) = ("Content-Type", "application/json");
const PICTURE: &str = "/api/users/01890a5d-ac96-774b-bcce-b302099a8057/picture";

/// One refusal by each layer: status, method, path, content type.
const REFUSALS: [(u16, &str, &str, (&str, &str)); 9] = [
    (401, "PATCH", PICTURE, ("Content-Type", "multipart/form-data; boundary=b")),
    (404, "POST", "/api/nothing/here", JSON),
    (404, "PUT", "/nothing/here", JSON),
    (405, "PUT", "/api/users", JSON),
    (405, "POST", "/health", JSON),
    (413, "POST", "/api/users", JSON),
    (413, "POST", "/api/users/token", FORM),
    (413, "POST", "/login", FORM),
    (415, "POST", "/api/users", ("Content-Type", "text/plain")),
];

async fn server() -> (Server, impl Sized) {
    server_with(&[]).await
}

async fn server_with(settings: &[(&str, u32)]) -> (Server, impl Sized) {
    let database = current_database().await;
    let mut sandbox = Sandbox::with_database(database.url());
    for (name, value) in settings {
        sandbox = sandbox.set(name, value);
    }
    (sandbox.start("serve"), (database, sandbox))
}

fn announce(connection: &mut Connection, method: &str, path: &str, headers: &[(&str, &str)], bytes: usize) {
    let length = bytes.to_string();
    let headers: Vec<_> = headers.iter().copied().chain([("Content-Length", length.as_str())]).collect();
    connection.request(method, path, &headers, "");
}

/// Sends far too much until the server closes the connection; returns the number of bytes sent.
fn send_without_end(connection: &Connection) -> usize {
    const ENOUGH: usize = 1024 * 1024 * 1024;
    let piece = vec![b'x'; 64 * 1024];
    let mut bytes = 0;
    while bytes < ENOUGH {
        match connection.socket().write(&piece) {
            Ok(count) => bytes += count,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error}");
                return bytes;
            }
        }
    }
    panic!("the server goes on reading");
}

/// Asserts that nothing more arrives, and that the client can still send.
fn is_ended_in_order(connection: &mut Connection) {
    let mut socket = connection.socket();
    assert_eq!(socket.read(&mut [0]).unwrap(), 0);
    socket.write_all(&vec![b'x'; LARGE]).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(socket.read(&mut [0]).unwrap(), 0, "nothing was reset");
}

#[track_caller]
fn says_close(answer: &Answer, status: u16) {
    assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{}", answer.text());
}

#[tokio::test]
async fn a_client_that_sends_all_of_a_refused_body_gets_the_answer_and_keeps_its_connection() {
    let (server, _keep) = server().await;
    let body = "x".repeat(LARGE);
    for bytes in [1, 100, 100_000, LARGE] {
        let mut connection = Connection::open(server.address);
        for (status, method, path, content_type) in REFUSALS {
            // A short enough body is read, and then refused for its content.
            let status = if status == 413 && bytes < LARGE { continue } else { status };
            connection.request(method, path, &[content_type], &body[..bytes]);
            let answer = connection.answer();
            assert_eq!((answer.status, answer.header("connection")), (status, None), "{method} {path}, {bytes}");
            let length: usize = answer.header("content-length").unwrap().parse().unwrap();
            assert!(length > 0 && answer.body.len() == length, "{method} {path}, {bytes}");
        }
        connection.request("GET", "/health", &[], "");
        connection.answer().ok(200);
    }
}

#[tokio::test]
async fn a_refused_body_of_unknown_length_is_read_to_its_end_too() {
    let (server, _keep) = server().await;
    let mut connection = Connection::open(server.address);
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for count in [1, 100] {
        connection.request("POST", "/api/nothing", &[("Transfer-Encoding", "chunked")], "");
        connection.send(format!("{}0\r\nX-Trailer: y\r\n\r\n", piece.repeat(count)));
        let answer = connection.answer();
        assert_eq!((answer.status, answer.header("connection")), (404, None), "{count}");
    }
    // An endless body is not read to its end.
    connection.request("POST", "/api/nothing", &[("Transfer-Encoding", "chunked")], "");
    connection.send(piece.repeat(TOO_LARGE / 0x10000 + 1));
    says_close(&connection.answer(), 404);
    is_ended_in_order(&mut connection);
}

#[tokio::test]
async fn a_body_that_is_too_large_to_be_read_is_answered_at_once_and_the_connection_closed_in_order() {
    let (server, _keep) = server().await;
    for (status, method, path, content_type) in REFUSALS {
        let mut connection = Connection::open(server.address);
        announce(&mut connection, method, path, &[content_type], 100 * LARGE);
        // A handler that reads the body stops early.
        connection.send("x".repeat(100_000));
        says_close(&connection.answer(), status);
        is_ended_in_order(&mut connection);
    }
}

#[tokio::test]
async fn a_client_that_sends_without_end_is_listened_to_up_to_a_bound() {
    let (server, _keep) = server().await;
    let mut connection = Connection::open(server.address);
    announce(&mut connection, "POST", "/api/nothing", &[JSON], 100_000 * LARGE);
    says_close(&connection.answer(), 404);
    let bytes = send_without_end(&connection);
    assert!(bytes > 64 * 1024 * 1024, "{bytes}");
    server.get("/health").ok(200);
}

#[tokio::test]
async fn a_client_that_waits_to_be_asked_for_a_refused_body_is_answered_at_once() {
    let (server, _keep) = server().await;
    for (status, method, path, content_type) in REFUSALS.into_iter().filter(|refusal| refusal.0 != 413) {
        for bytes in [10, LARGE, 100 * LARGE] {
            let mut connection = Connection::open(server.address);
            announce(&mut connection, method, path, &[content_type, ("Expect", "100-continue")], bytes);
            // The client may or may not send the body now, so the server could not tell it from a request.
            says_close(&connection.answer(), status);
            is_ended_in_order(&mut connection);
        }
    }
}

#[tokio::test]
async fn a_head_that_is_refused_is_answered_however_much_follows() {
    let (server, _keep) = server().await;
    let body = "x".repeat(LARGE);
    for (status, head) in [
        (400, "nonsense\r\n\r\n".to_owned()),
        (400, format!("POST /api/users HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n{body}")),
        (431, format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: {body}\r\n\r\n")),
    ] {
        let mut connection = Connection::open(server.address);
        connection.send(&head);
        let answer = connection.answer();
        assert_eq!(answer.status, status, "{}", &head[..40.min(head.len())]);
        is_ended_in_order(&mut connection);
    }
    // A request without a host.
    let mut connection = Connection::open(server.address);
    connection.send(format!("POST /api/users HTTP/1.1\r\nContent-Length: {LARGE}\r\n\r\n{body}"));
    says_close(&connection.answer(), 400);
    connection.is_ended();
}

#[tokio::test]
async fn a_request_that_has_waited_for_its_body_in_vain_is_answered_at_once() {
    let (server, _keep) = server_with(&[("REQUEST_TIMEOUT_SECONDS", 1)]).await;
    let mut connection = Connection::open(server.address);
    announce(&mut connection, "POST", "/api/users", &[JSON], 1_000);
    connection.send("x");
    says_close(&connection.answer(), 503);
    is_ended_in_order(&mut connection);
}

#[tokio::test]
async fn clients_whose_refused_bodies_do_not_come_do_not_keep_others_out() {
    const PLACES: u32 = 4;
    let (server, _keep) = server_with(&[("CONNECTIONS_MAX", PLACES)]).await;
    for bytes in [1_000, 100 * LARGE] {
        let mut held = Vec::new();
        for _ in 0..3 * PLACES {
            let mut connection = Connection::open(server.address);
            announce(&mut connection, "POST", "/api/nothing", &[JSON], bytes);
            held.push(connection);
            server.get("/health").ok(200);
        }
    }
}

#[tokio::test]
async fn clients_that_go_on_sending_do_not_hold_up_the_end() {
    let (mut server, _keep) = server_with(&[("SHUTDOWN_TIMEOUT_SECONDS", 1)]).await;
    let mut held = [1_000, 100 * LARGE].map(|bytes| {
        let mut connection = Connection::open(server.address);
        announce(&mut connection, "POST", "/api/nothing", &[JSON], bytes);
        connection
    });
    let [_, lingers] = &mut held;
    says_close(&lingers.answer(), 404);
    server.signal("TERM");
    let ended = server.process.wait().with(0);
    assert!(ended.stderr.contains("the time for requests under way is over"), "{}", ended.stderr);
}

#[tokio::test]
async fn over_http_2_a_stream_is_not_reset_because_its_body_was_refused() {
    let (server, _keep) = server().await;
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let exchanges = async {
        for (status, method, path, (name, value)) in REFUSALS {
            for bytes in [1, 100_000, LARGE, 3 * LARGE] {
                let status = if status == 413 && bytes < LARGE { continue } else { status };
                let url = format!("http://localhost{path}");
                let request = Request::builder().method(method).uri(url).header(name, value).body(()).unwrap();
                let (found, length) = exchange(&client, request, bytes).await;
                assert_eq!(found, status, "{method} {path}, {bytes}");
                assert!(length > 0, "{method} {path}, {bytes}");
            }
        }
    };
    tokio::select! {
        outcome = tokio::time::timeout(PATIENCE, exchanges) => outcome.unwrap(),
        end = connection => panic!("the server ended the connection: {end:?}"),
    }
}

/// Sends a body to its last byte, which a reset stream would not accept, and only then reads the response; returns its
/// status and length.
async fn exchange(client: &h2::client::SendRequest<Bytes>, request: Request<()>, mut bytes: usize) -> (u16, usize) {
    let mut client = client.clone().ready().await.unwrap();
    let (response, mut body) = client.send_request(request, false).unwrap();
    while bytes > 0 {
        body.reserve_capacity(bytes.min(64 * 1024));
        let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await.unwrap().unwrap();
        let piece = Bytes::from(vec![b'x'; room.min(bytes)]);
        bytes -= piece.len();
        body.send_data(piece, bytes == 0).unwrap();
    }
    let (head, mut body) = response.await.unwrap().into_parts();
    let mut length = 0;
    while let Some(piece) = body.data().await {
        let piece = piece.unwrap();
        length += piece.len();
        body.flow_control().release_capacity(piece.len()).unwrap();
    }
    (head.status.as_u16(), length)
}
