use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::client::{Connection, FORM, login_form};
use crate::current_database;
use crate::sandbox::{PATIENCE, Sandbox, Server, eventually};

/// Waits until the server no longer listens, which shows that the signal has arrived.
fn takes_no_new_clients(server: &Server) {
    eventually("new connections are refused", || TcpStream::connect(server.address).err());
}

/// A login that has reached its handler, but whose form has not been sent.
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

/// Waits until `/ready` reports that the instance is stopping.
fn says_that_it_stops(server: &Server) {
    eventually("/ready says that the instance is stopping", || (server.get("/ready").status == 503).then_some(()));
}

#[tokio::test]
async fn with_a_delay_connections_are_taken_until_it_is_over_and_each_ends_with_its_answer() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("SHUTDOWN_DELAY_SECONDS", 600);
    let mut server = sandbox.start("serve");
    let mut kept = Connection::open(server.address);
    for _ in 0..2 {
        kept.request("GET", "/health", &[], "");
        assert_eq!(kept.answer().header("connection"), None);
    }
    server.signal("TERM");
    says_that_it_stops(&server);
    // A proxy may still use its open connection, and learns from the response that it closes.
    kept.request("GET", "/health", &[], "");
    let answer = kept.answer();
    answer.ok(200);
    assert_eq!(answer.header("connection"), Some("close"));
    kept.is_ended();
    let answer = server.register("ada");
    answer.ok(201);
    assert_eq!(answer.header("connection"), Some("close"));
    server.signal("TERM");
    let ended = server.process.wait().with(0);
    assert!(ended.stderr.contains("stopped at once by a second signal"), "{}", ended.stderr);
}

#[tokio::test]
async fn an_idle_connection_is_closed_only_after_the_delay() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("SHUTDOWN_DELAY_SECONDS", 1);
    let mut server = sandbox.start("serve");
    let mut idle = Connection::open(server.address);
    idle.request("GET", "/health", &[], "");
    idle.answer().ok(200);
    let signalled = Instant::now();
    server.signal("TERM");
    idle.is_ended();
    assert!(signalled.elapsed() >= Duration::from_secs(1), "it was closed after {:?}", signalled.elapsed());
    let ended = server.process.wait().with(0);
    assert!(ended.stderr.contains("\"message\":\"stopped\""), "{}", ended.stderr);
}

/// Sends requests on new connections until one is refused; returns the number of successes, and the other outcomes.
fn asks_until_refused(address: SocketAddr) -> (usize, Vec<String>) {
    let (mut answered, mut failures) = (0, Vec::new());
    while let Ok(mut stream) = TcpStream::connect(address) {
        let request = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut answer = String::new();
        match stream.write_all(request).and_then(|()| stream.read_to_string(&mut answer)) {
            Ok(_) if answer.starts_with("HTTP/1.1 200 ") => answered += 1,
            outcome => failures.push(format!("{outcome:?} {answer:?}")),
        }
    }
    (answered, failures)
}

#[tokio::test]
async fn with_a_delay_whoever_could_connect_is_answered() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("SHUTDOWN_DELAY_SECONDS", 1);
    let mut server = sandbox.start("serve");
    let address = server.address;
    server.signal("TERM");
    says_that_it_stops(&server);
    let clients: Vec<_> = (0..4).map(|_| std::thread::spawn(move || asks_until_refused(address))).collect();
    for client in clients {
        let (answered, failures) = client.join().unwrap();
        assert!(answered > 0 && failures.is_empty(), "{answered} answered, and {failures:?}");
    }
    server.process.wait().with(0);
}

#[tokio::test]
async fn over_http_2_the_farewell_comes_first_and_requests_under_way_are_answered() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("SHUTDOWN_DELAY_SECONDS", 600);
    let server = sandbox.start("serve");
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let mut connections = tokio::task::JoinSet::new();
    connections.spawn(connection);
    let ask = async |client: h2::client::SendRequest<bytes::Bytes>| {
        let request = axum::http::Request::get("http://localhost/health").body(()).unwrap();
        let (answer, _) = client.ready().await?.send_request(request, true)?;
        answer.await.map(|answer| answer.status().as_u16())
    };
    assert_eq!(ask(client.clone()).await.unwrap(), 200);
    server.signal("TERM");
    // After GOAWAY the idle connection closes, long before the delay ends.
    tokio::time::timeout(PATIENCE, connections.join_next()).await.unwrap().unwrap().unwrap().unwrap();
    assert!(ask(client).await.is_err());
    server.get("/health").ok(200);
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
    assert!(ended.stderr.contains(&format!("port {port} is in use")), "{}", ended.stderr);
    server.get("/health").ok(200);
}
