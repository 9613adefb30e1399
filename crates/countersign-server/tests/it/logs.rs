use std::collections::BTreeMap;

use countersign_db::DatabaseKind;
use countersign_db::testing::database_under_test;
use serde_json::{Value, json};

use crate::client::{Connection, FORM};
use crate::sandbox::{Sandbox, Server};
use crate::{EmptyPlace, KEY, current_database};

/// Secrets that the test sends in one or more places, and that must not appear in the log.
const PASSWORD: &str = "zebra-Password-4711";
const WRONG_PASSWORD: &str = "zebra-WrongPassword-4712";
const EMAIL: &str = "zebra.address@mail.example.org";
const BAD_EMAIL: &str = "zebra.address.at.mail";
const DATABASE_PASSWORD: &str = "zebra-DatabasePassword-4713";
const BAD_TOKEN: &str = "zebra-BadToken-4714";
const STRAY: &str = "zebra-Stray-4715";

/// On PostgreSQL, adds a password to the URL, which the test server does not require.
fn with_password(url: &str) -> String {
    match database_under_test() {
        DatabaseKind::Sqlite => url.to_owned(),
        DatabaseKind::Postgres => url.replacen("postgres@", &format!("postgres:{DATABASE_PASSWORD}@"), 1),
    }
}

/// Sends requests of every kind. Returns the request ids with their statuses, and the issued tokens.
fn live(server: &Server) -> (BTreeMap<String, u16>, Vec<String>) {
    let mut ids = BTreeMap::new();
    let mut tokens = Vec::new();
    let mut ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| -> Value {
        let answer = server.request(method, path, headers, body);
        assert_eq!(ids.insert(answer.request_id().to_owned(), answer.status), None);
        serde_json::from_slice(&answer.body).unwrap_or_default()
    };
    let json_body = ("Content-Type", "application/json");
    let form = |password: &str| format!("username={}&password={password}", EMAIL.replace('@', "%40"));

    // Registrations, valid and invalid.
    let registration = json!({ "username": "zoe", "email": EMAIL, "password": PASSWORD }).to_string();
    let user = ask("POST", "/api/users", &[json_body], &registration);
    let user_path = format!("/api/users/{}", user["id"].as_str().unwrap());
    ask("POST", "/api/users", &[json_body], &registration);
    for body in [
        json!({ "username": "yan", "email": EMAIL, "password": PASSWORD }),
        json!({ "username": "yan", "email": BAD_EMAIL, "password": PASSWORD }),
        json!({ "username": 7, "email": [EMAIL], "password": { "is": PASSWORD } }),
        json!({ "username": "", "email": EMAIL, "password": PASSWORD, (STRAY): STRAY }),
        json!([EMAIL, PASSWORD]),
    ] {
        ask("POST", "/api/users", &[json_body], &body.to_string());
    }
    for body in [&registration[..registration.len() - 1], PASSWORD, &format!("{{\"{PASSWORD}\":"), "\u{0}\u{1b}[31m"] {
        ask("POST", "/api/users", &[json_body], body);
        ask("POST", "/api/users", &[("Content-Type", STRAY)], body);
    }

    // Logins, valid and invalid.
    for password in [PASSWORD, WRONG_PASSWORD, PASSWORD, ""] {
        let answer = ask("POST", "/api/users/token", &[FORM], &form(password));
        tokens.extend(answer["access_token"].as_str().map(str::to_owned));
    }
    ask("POST", "/api/users/token", &[json_body], &registration);
    ask("POST", "/api/users/token", &[FORM], &format!("{}&password=%ff&{STRAY}={STRAY}", form(PASSWORD)));
    ask("POST", "/api/users/token", &[FORM], &format!("{}&grant_type={STRAY}", form(PASSWORD)));
    assert_eq!(tokens.len(), 2);

    // Tokens, valid and invalid.
    let token = tokens[0].clone();
    let bearer = format!("Bearer {token}");
    let authorization = ("Authorization", bearer.as_str());
    ask("GET", "/api/users/me", &[authorization], "");
    let change = json!({ "username": "zoe2", "email": format!("new.{EMAIL}") }).to_string();
    ask("PATCH", &user_path, &[authorization, json_body], &change);
    for value in [
        format!("Bearer {BAD_TOKEN}"),
        format!("Basic {BAD_TOKEN}"),
        format!("Bearer {token}x"),
        format!("Bearer a.{BAD_TOKEN}.c"),
    ] {
        ask("GET", "/api/users/me", &[("Authorization", &value), ("Cookie", STRAY), ("X-Request-Id", STRAY)], "");
    }

    // Secrets where they do not belong.
    for path in [
        format!("/api/users/me?access_token={token}"),
        format!("/api/users/{token}"),
        format!("/api/users/{EMAIL}"),
        format!("/api/users/token?password={PASSWORD}&username={EMAIL}"),
        format!("/{STRAY}/..%2f..%2f{PASSWORD}"),
        format!("/docs/{STRAY}?token={token}"),
        format!("/reset-password?token={BAD_TOKEN}"),
    ] {
        ask("GET", &path, &[("Referer", &format!("http://localhost/{STRAY}")), ("User-Agent", STRAY)], "");
        ask("DELETE", &path, &[("Host", &format!("{STRAY}.example.org"))], "");
    }
    ask("DELETE", &user_path, &[authorization], "");
    ask("GET", "/api/users/me", &[authorization], "");
    ask("GET", "/health", &[], "");
    ask("GET", "/ready", &[], "");

    // Bytes that never become a request.
    for bytes in [
        format!("GET /{STRAY} HTTP/1.1\r\nAuthorization: Bearer {BAD_TOKEN}\r\n broken\r\n\r\n"),
        format!("{STRAY} {PASSWORD}\r\n\r\n"),
    ] {
        let mut connection = Connection::open(server.address);
        connection.send(bytes);
        connection.answer();
    }
    let mut broken_off = Connection::open(server.address);
    let headers = [FORM, ("Content-Length", "500"), ("Expect", "100-continue")];
    broken_off.request("POST", "/api/users/token", &headers, "");
    broken_off.is_asked_for_the_body();
    broken_off.send(form(PASSWORD));
    drop(broken_off);
    (ids, tokens)
}

/// Sends a request over HTTP/2 with a token that is one of the secrets.
async fn ask_over_http2(server: &Server) {
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let request = axum::http::Request::get(format!("http://localhost/api/users/me?token={BAD_TOKEN}"))
        .header("authorization", format!("Bearer {BAD_TOKEN}"));
    let (answer, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
    tokio::select! {
        answer = answer => assert_eq!(answer.unwrap().status(), 401),
        end = connection => panic!("the server ended the connection: {end:?}"),
        () = tokio::time::sleep(crate::sandbox::PATIENCE) => panic!("no answer"),
    }
}

#[track_caller]
fn holds_no_secret(output: &str, tokens: &[String], key: &str) {
    let lower = output.to_lowercase();
    let signatures = tokens.iter().map(|token| token.rsplit('.').next().unwrap());
    let fixed = ["zebra", EMAIL, BAD_EMAIL, "mail.example.org", "$argon2", KEY, key];
    for secret in fixed.into_iter().chain(signatures).chain(tokens.iter().map(String::as_str)) {
        let line = lower.lines().find(|line| line.contains(&secret.to_lowercase()));
        assert_eq!(line, None, "the log holds {secret}");
    }
}

#[tokio::test]
async fn serve_logs_an_object_a_line_and_nothing_secret_at_any_level() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(&with_password(database.url())).set("LOG", "trace");
    let mut server = sandbox.start("serve");
    let (ids, tokens) = live(&server);
    ask_over_http2(&server).await;
    server.signal("TERM");
    let ended = server.process.wait().with(0);

    holds_no_secret(&ended.all(), &tokens, KEY);
    assert_eq!(ended.stdout, "");
    let lines: Vec<Value> = ended
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        assert!(line.is_object() && line["timestamp"].is_string() && line["level"].is_string(), "{line}");
        // Crates that handle statements, headers and bodies log only warnings and errors.
        let is_ours = line["target"].as_str().unwrap().starts_with("countersign");
        assert!(is_ours || line["level"] == "WARN" || line["level"] == "ERROR", "{line}");
    }
    for (id, status) in ids {
        let of_request = |line: &&Value| line["span"]["request_id"] == id.as_str() && line["message"] == "answered";
        let answered: Vec<&Value> = lines.iter().filter(of_request).collect();
        assert_eq!(answered.len(), 1, "{id}: {answered:?}");
        assert_eq!(answered[0]["status"], status);
    }
}

#[tokio::test]
async fn dev_logs_for_a_person_and_nothing_secret_at_any_level() {
    let place = EmptyPlace::new().await;
    let sandbox = Sandbox::new().served_cheaply().set("DATABASE_URL", with_password(&place.url)).set("LOG", "trace");
    let mut server = sandbox.start("dev");
    let key = sandbox.read("data/secret_key");
    let (ids, tokens) = live(&server);
    ask_over_http2(&server).await;
    server.signal("INT");
    let ended = server.process.wait().with(0);

    holds_no_secret(&ended.all(), &tokens, key.trim());
    assert!(ended.stderr.lines().all(|line| serde_json::from_str::<Value>(line).is_err()));
    for id in ids.keys() {
        let answered = ended.stderr.lines().filter(|line| line.contains(id) && line.contains("answered")).count();
        assert_eq!(answered, 1, "{id}");
    }
}

/// Number of warnings about an unknown proxy.
fn warnings_of_unknown_proxies(sandbox: &Sandbox) -> usize {
    let mut server = sandbox.start("serve");
    for _ in 0..3 {
        let headers = [FORM, ("X-Forwarded-For", "203.0.113.7")];
        let answer = server.request("POST", "/api/users/token", &headers, "username=nobody&password=x");
        assert_eq!(answer.status, 401);
    }
    server.signal("TERM");
    let ended = server.process.wait().with(0);
    ended.stderr.lines().filter(|line| line.contains("WARN") && line.contains("TRUSTED_PROXIES")).count()
}

#[tokio::test]
async fn a_proxy_that_nobody_has_named_is_noticed_once() {
    let database = current_database().await;
    assert_eq!(warnings_of_unknown_proxies(&Sandbox::with_database(database.url())), 1);
    let named = Sandbox::with_database(database.url()).set("TRUSTED_PROXIES", "127.0.0.1");
    assert_eq!(warnings_of_unknown_proxies(&named), 0);
}

#[tokio::test]
async fn a_failed_start_says_nothing_secret() {
    let url = format!("postgres://zoe:{DATABASE_PASSWORD}@127.0.0.1:1/app?password={DATABASE_PASSWORD}");
    let commands = [&["serve"][..], &["doctor"], &["migrate", "status"], &["migrate", "up"], &["dev"], &["settings"]];
    // Concurrently, because each one retries for a while.
    let sandboxes = commands.map(|_| Sandbox::with_database(&url).set("LOG", "trace"));
    let mut processes: Vec<_> =
        sandboxes.iter().zip(commands).map(|(sandbox, command)| sandbox.launch(command)).collect();
    for (process, command) in processes.iter_mut().zip(commands) {
        let ended = process.wait();
        assert_eq!(ended.code, Some(i32::from(command != ["settings"])), "{command:?}\n{}", ended.all());
        holds_no_secret(&ended.all(), &[], KEY);
    }
}
