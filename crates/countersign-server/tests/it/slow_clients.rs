//! Deliberately slow clients: each one times out, and together they do not keep out others.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Instant;

use crate::client::{Connection, FORM, login_form};
use crate::current_database;
use crate::sandbox::{PATIENCE, Sandbox, Server};

async fn server(settings: &[(&str, u32)]) -> (Server, impl Sized) {
    let database = current_database().await;
    let mut sandbox = Sandbox::with_database(database.url());
    for (name, value) in settings {
        sandbox = sandbox.set(name, value);
    }
    (sandbox.start("serve"), (database, sandbox))
}

/// A connection that has sent the start of a head.
fn headless(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&server.address, PATIENCE).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").unwrap();
    stream
}

#[tokio::test]
async fn clients_that_never_finish_a_head_do_not_keep_others_out() {
    const PLACES: u32 = 4;
    let (server, _keep) = server(&[("CONNECTIONS_MAX", PLACES)]).await;
    let mut held = Vec::new();
    for round in 0..20 {
        held.extend((0..2 * PLACES).map(|_| headless(&server)));
        // A byte now and then; a write to an evicted connection fails.
        held.retain_mut(|stream| stream.write_all(b"x").is_ok());
        assert_eq!(server.get("/health").status, 200, "round {round}");
    }
    server.register("ada").ok(201);
    server.log_in("ada").ok(200);
}

#[tokio::test]
async fn clients_that_ask_once_and_then_keep_their_place_do_not_keep_others_out() {
    const PLACES: u32 = 4;
    let (server, _keep) = server(&[("CONNECTIONS_MAX", PLACES)]).await;
    let mut idle = Vec::new();
    for _ in 0..5 * PLACES {
        let mut connection = Connection::open(server.address);
        connection.request("GET", "/health", &[], "");
        connection.answer().ok(200);
        idle.push(connection);
    }
    // The connections that were idle longest have been evicted.
    idle[0].is_ended();
}

#[tokio::test]
async fn clients_whose_bodies_do_not_come_do_not_keep_others_out() {
    const PLACES: u32 = 4;
    let (server, _keep) = server(&[("CONNECTIONS_MAX", PLACES), ("REQUEST_TIMEOUT_SECONDS", 600)]).await;
    server.register("ada").ok(201);
    let mut held = Vec::new();
    for _ in 0..2 * PLACES {
        let mut connection = Connection::open(server.address);
        let length = login_form("ada").len().to_string();
        connection.request(
            "POST",
            "/api/users/token",
            &[FORM, ("Content-Length", &length), ("Expect", "100-continue")],
            "",
        );
        connection.is_asked_for_the_body();
        held.push(connection);
        assert_eq!(server.get("/health").status, 200);
    }
    // The latest one has not been evicted.
    let mut latest = held.pop().unwrap();
    latest.send(login_form("ada"));
    latest.answer().ok(200);
}

#[tokio::test]
async fn a_client_that_takes_too_long_for_a_head_is_disconnected() {
    let (server, _keep) = server(&[("HEAD_TIMEOUT_SECONDS", 1)]).await;
    let begun = Instant::now();
    let mut silent = Connection::open(server.address);
    let mut slow = Connection::open(server.address);
    slow.send("GET /health HTTP/1.1\r\nHost: loc");
    // The timeout applies to later heads of a connection, too.
    let mut second = Connection::open(server.address);
    second.request("GET", "/health", &[], "");
    second.answer().ok(200);
    second.send("GET /health HT");
    for connection in [&mut silent, &mut slow, &mut second] {
        connection.is_ended();
    }
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    server.get("/health").ok(200);
}

#[tokio::test]
async fn a_body_that_drips_is_given_up_when_the_time_of_its_request_is_over() {
    let (server, _keep) = server(&[("REQUEST_TIMEOUT_SECONDS", 1)]).await;
    for (path, content_type) in [("/api/users", "application/json"), FORM_OF_LOGIN, ("/login", FORM.1)] {
        let mut connection = Connection::open(server.address);
        let headers = [("Content-Type", content_type), ("Content-Length", "60000")];
        connection.request("POST", path, &headers, "");
        // A byte just before each timeout: it does not restart the timeout.
        let begun = Instant::now();
        let mut stream = connection.socket().try_clone().unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
        while stream.peek(&mut [0]).is_err() {
            assert!(begun.elapsed() < PATIENCE, "{path}: it goes on for ever");
            let _ = stream.write_all(b"x");
        }
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(connection.answer().status, 503, "{path}");
    }
}

const FORM_OF_LOGIN: (&str, &str) = ("/api/users/token", FORM.1);
