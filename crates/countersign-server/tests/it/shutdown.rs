use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::client::{Connection, FORM, login_form};
use crate::current_database;
use crate::sandbox::{Sandbox, Server, eventually};

/// Waits until nobody listens any more, which tells that a signal has arrived.
fn takes_no_new_clients(server: &Server) {
    eventually("new connections are refused", || TcpStream::connect(server.address).err());
}

/// A login that has got as far as its handler, and whose form has not been sent.
fn login_under_way(server: &Server) -> Connection {
    let mut connection = Connection::open(server.address);
    let length = login_form("ada").len().to_string();
    let headers = [FORM, ("Content-Length", &length), ("Expect", "100-continue")];
    connection.request("POST", "/api/users/token", &headers, "");
    connection.is_asked_for_the_body();
    connection
}

async fn a_login_survives(signal: &str) {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("SHUTDOWN_TIMEOUT_SECONDS", 600);
    let mut server = sandbox.start("serve");
    server.register("ada").ok(201);
    let mut under_way = login_under_way(&server);
    let mut idle = Connection::open(server.address);
    idle.request("GET", "/ready", &[], "");
    idle.answer().ok(200);

    server.signal(signal);
    takes_no_new_clients(&server);
    idle.is_ended();
    under_way.send(login_form("ada"));
    let answer = under_way.answer();
    let token = answer.ok(200)["access_token"].as_str().unwrap().to_owned();
    under_way.is_ended();
    let ended = server.process.wait().with(0);
    assert!(ended.stderr.contains(&format!("\"signal\":\"SIG{signal}\"")), "{}", ended.stderr);
    assert!(ended.stderr.contains("\"message\":\"stopped\""), "{}", ended.stderr);
    assert_eq!(sandbox.start("serve").me(&token).ok(200)["username"], "ada");
}

#[tokio::test]
async fn a_request_under_way_at_sigterm_is_answered() {
    a_login_survives("TERM").await;
}

#[tokio::test]
async fn a_request_under_way_at_sigint_is_answered() {
    a_login_survives("INT").await;
}

#[tokio::test]
async fn clients_that_send_nothing_are_not_waited_for() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("SHUTDOWN_TIMEOUT_SECONDS", 600);
    let mut server = sandbox.start("serve");
    let mut silent = Connection::open(server.address);
    let mut idle = Connection::open(server.address);
    idle.request("GET", "/health", &[], "");
    idle.answer().ok(200);
    server.signal("TERM");
    server.process.wait().with(0);
    silent.is_ended();
    idle.is_ended();
}

#[tokio::test]
async fn a_request_that_does_not_come_to_an_end_is_cut_off_after_the_set_time() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("SHUTDOWN_TIMEOUT_SECONDS", 1);
    let mut server = sandbox.start("serve");
    let mut stuck = login_under_way(&server);
    let signalled = Instant::now();
    server.signal("TERM");
    let ended = server.process.wait().with(0);
    assert!(signalled.elapsed() >= Duration::from_secs(1), "it was cut off after {:?}", signalled.elapsed());
    assert!(ended.stderr.contains("some were cut off"), "{}", ended.stderr);
    stuck.is_ended();
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("SHUTDOWN_TIMEOUT_SECONDS", 600);
    let mut server = sandbox.start("serve");
    let mut stuck = login_under_way(&server);
    server.signal("TERM");
    takes_no_new_clients(&server);
    server.signal("INT");
    let ended = server.process.wait().with(0);
    assert!(ended.stderr.contains("stopped at once by a second signal"), "{}", ended.stderr);
    stuck.is_ended();
}

#[tokio::test]
async fn accounts_and_tokens_outlive_a_killed_process() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url());
    let mut server = sandbox.start("serve");
    let registered = server.register("ada").ok(201);
    let token = server.token("ada");
    server.signal("KILL");
    assert_eq!(server.process.wait().code, None);

    let server = sandbox.start("serve");
    assert_eq!(server.me(&token).ok(200), registered);
    server.log_in("ada").ok(200);
    assert_eq!(server.register("ada").problem(400, "username_taken")["detail"], "Username already exists");
}

#[tokio::test]
async fn a_taken_port_is_said_to_be_taken() {
    let database = current_database().await;
    let first = Sandbox::with_database(database.url());
    let server = first.start("serve");
    let port = server.address.port();
    let second = Sandbox::with_database(database.url()).set("PORT", port);
    let ended = second.run(&["serve"]).with(1);
    assert!(ended.stderr.contains(&format!("port {port} is taken")), "{}", ended.stderr);
    server.get("/health").ok(200);
}
