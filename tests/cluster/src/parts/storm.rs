//! A storm of cancelled requests: clients disconnect a few milliseconds after sending requests of every kind. Afterwards
//! every login must work, no connection may be in a transaction, and the schema must be changeable.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::rounds::random;
use crate::Rig;
use crate::broken::{Broken, Outcome};
use crate::client::{Client, Content, Target};
use crate::forwarder::Forwarder;
use crate::instance::Installation;
use crate::ledger::{Account, Ledger, Picture};
use crate::nginx::free_address;
use crate::postgres::Postgres;
use crate::promises;
use crate::report::{Figure, Goal};

/// Concurrent requests.
const AT_A_TIME: usize = 24;
/// A client disconnects after a time in this range.
const PATIENCE_MILLISECONDS: std::ops::Range<u64> = 0..13;
/// Delay between the program and PostgreSQL, as in a local network.
const NETWORK_DELAY: Duration = Duration::from_millis(1);
const PEOPLE: usize = 16;
/// One user in this many changes the password.
const CHANGING_EVERY: usize = 4;
const PASSWORD: &str = "correct-horse-battery-staple";
const OTHER_PASSWORD: &str = "another-horse-entirely";
/// The longest time that an abandoned statement may run, plus a margin.
const SETTLE_MAX: Duration = Duration::from_secs(40);
const CONNECT_MAX: Duration = Duration::from_secs(10);

pub(crate) async fn on_sqlite(rig: &Rig) -> Outcome<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("blog.db");
    let installation = Installation::new(&rig.program, &format!("sqlite:{}", file.display()))?;
    let storm = Storm::rage(rig, installation, None).await?;
    let names = ["storm_sqlite_given_up", "storm_sqlite_broken", "storm_sqlite_lost", "storm_sqlite_migrates"];
    Ok(storm.figures(rig, names))
}

pub(crate) async fn on_postgres(rig: &Rig) -> Outcome<Vec<Figure>> {
    let postgres = Postgres::start()?;
    let network = Forwarder::start_slow(postgres.address, NETWORK_DELAY).await?;
    let mut installation = Installation::new(&rig.program, &Postgres::url(network.address))?;
    // A small pool, so that the next request gets the connection that a cancelled one left.
    installation.set("DATABASE_CONNECTIONS_MAX", "3");
    let storm = Storm::rage(rig, installation, Some(&postgres)).await?;
    let (stuck, settled) = (storm.stuck.clone(), storm.settled);
    // The locks that a migration of busy tables needs.
    let lock = "BEGIN; SET LOCAL lock_timeout = '5s'; LOCK TABLE auth_users, auth_sessions, posts; COMMIT";
    let locked = postgres.execute("app", lock);
    let mut figures = storm.figures(
        rig,
        ["storm_postgres_given_up", "storm_postgres_broken", "storm_postgres_lost", "storm_postgres_migrates"],
    );
    figures.push(Figure::new("storm_postgres_stuck", stuck.len() as f64, Goal::AtMost(0.0), stuck.join("; ")));
    figures.push(Figure::new(
        "storm_postgres_settled_seconds",
        settled.as_secs_f64(),
        Goal::None,
        "until no connection was",
    ));
    let note = locked.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let locks = f64::from(u8::from(locked.is_ok()));
    figures.push(Figure::new("storm_postgres_locks", locks, Goal::AtLeast(1.0), note));
    Ok(figures)
}

/// Waits until no connection is in a transaction, before any request that could end one; returns those that stay.
async fn settle(postgres: &Postgres) -> Outcome<(Vec<String>, Duration)> {
    let begun = Instant::now();
    loop {
        let stuck = in_transaction(postgres)?;
        if stuck.is_empty() || begun.elapsed() > SETTLE_MAX {
            return Ok((stuck, begun.elapsed()));
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// Returns the connections in a transaction, with their last statement.
fn in_transaction(postgres: &Postgres) -> Outcome<Vec<String>> {
    let found = postgres.execute(
        "postgres",
        "SELECT state || ': ' || left(query, 60) FROM pg_stat_activity \
         WHERE datname = 'app' AND state LIKE 'idle in transaction%'",
    )?;
    Ok(found.lines().map(str::to_owned).collect())
}

/// Results of a run.
struct Storm {
    installation: Installation,
    given_up: usize,
    /// Server errors among the responses that arrived in time, and in the log.
    broken: Vec<String>,
    /// Connections that stay in a transaction, and how long it took to find out.
    stuck: Vec<String>,
    settled: Duration,
    lost: Vec<String>,
}

impl Storm {
    async fn rage(rig: &Rig, installation: Installation, postgres: Option<&Postgres>) -> Outcome<Self> {
        let address = free_address();
        let target = Target::plain(address);
        let instance = installation.start(&rig.program, address).await?;
        let (ledger, requests) = people(&target).await?;
        let writes = requests.iter().filter(|request| !request.starts_with(b"GET")).cloned().collect();
        let reads = requests.iter().filter(|request| request.starts_with(b"GET")).cloned().collect();
        let mut broken = cut_off(address, requests, rig.scale.given_up / 2).await?;
        broken.extend(cut_off(address, writes, rig.scale.given_up / 4).await?);
        broken.extend(cut_off(address, reads, rig.scale.given_up / 4).await?);
        let (stuck, settled) = match postgres {
            Some(postgres) => settle(postgres).await?,
            None => (Vec::new(), Duration::ZERO),
        };
        let lost = all_log_in(&target, &ledger).await?;
        let log = instance.log();
        let is_bad = |line: &&str| line.contains("25P02") || line.contains("panicked") || line.contains(" ERROR ");
        broken.extend(log.lines().filter(is_bad).take(5).map(str::to_owned));
        Ok(Self { installation, given_up: rig.scale.given_up, broken, stuck, settled, lost })
    }

    fn figures(self, rig: &Rig, names: [&'static str; 4]) -> Vec<Figure> {
        let migrated = self.installation.run(&rig.program, "migrate up");
        let note = migrated.as_ref().err().map(ToString::to_string).unwrap_or_default();
        vec![
            Figure::new(names[0], self.given_up as f64, Goal::None, "requests, 24 at a time"),
            Figure::new(names[1], self.broken.len() as f64, Goal::AtMost(0.0), first(&self.broken)),
            Figure::new(names[2], self.lost.len() as f64, Goal::AtMost(0.0), first(&self.lost)),
            Figure::new(names[3], f64::from(u8::from(migrated.is_ok())), Goal::AtLeast(1.0), note),
        ]
    }
}

fn first(lines: &[String]) -> String {
    lines.first().cloned().unwrap_or_default()
}

/// Registers users and returns the requests that each of them may send.
async fn people(target: &Target) -> Outcome<(Ledger, Vec<Vec<u8>>)> {
    let (mut ledger, mut requests) = (Ledger::default(), Vec::new());
    let mut client = Client::new(target);
    for number in 0..PEOPLE {
        let name = format!("storm{number}");
        let body = json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD });
        let user = client.ask("POST /api/users", "", &Content::json(&body)).await?.json();
        let Some(id) = user["id"].as_str() else { return Err(Broken(format!("nobody registers: {user}"))) };
        let mut tokens = Vec::new();
        for _ in 0..3 {
            tokens.push(client.ask("POST /api/users/token", "", &login(&name, PASSWORD)).await?.json());
        }
        let token = |session: usize, kind: &str| tokens[session][kind].as_str().unwrap_or_default().to_owned();
        requests.extend(acts(&name, id, &token(0, "access_token")));
        // Requests that end their session get a session of their own; few users change the password, which all requests need.
        requests.push(refresh(&token(1, "refresh_token")));
        let (body, authorization) = (json!({ "password": PASSWORD }), bearer(&token(2, "access_token")));
        requests.push(Content::json(&body).request("POST /api/users/me/reauthenticate", &authorization));
        if number.is_multiple_of(CHANGING_EVERY) {
            let body = json!({ "current_password": PASSWORD, "new_password": OTHER_PASSWORD });
            let authorization = bearer(&token(0, "access_token"));
            requests.push(Content::json(&body).request("PATCH /api/users/me/password", &authorization));
        }
        let passwords = vec![PASSWORD.to_owned(), OTHER_PASSWORD.to_owned()];
        ledger.accounts.insert(name, Account { id: id.to_owned(), passwords, picture: Picture::Unknown });
    }
    Ok((ledger, requests))
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

fn refresh(token: &str) -> Vec<u8> {
    let form = Content::form(format!("grant_type=refresh_token&refresh_token={token}"));
    form.request("POST /api/users/token", "")
}

fn login(name: &str, password: &str) -> Content {
    Content::form(format!("username={name}%40example.com&password={password}"))
}

/// All requests of a user, except those that end the account or the session, which the others need.
fn acts(name: &str, id: &str, access: &str) -> Vec<Vec<u8>> {
    let email = json!({ "email": format!("{name}@example.com") });
    let post = json!({ "title": name, "content": "Given up." });
    let token = json!({ "token": "c3Rvcm0c3Rvcm0c3Rvcm0c3Rvcm0c3Rvcm0c3Rvcm0", "new_password": OTHER_PASSWORD });
    let none = Content::none;
    let acts = [
        ("GET /api/users/me".to_owned(), none()),
        ("GET /api/users/me/sessions".to_owned(), none()),
        ("GET /api/users/me/email".to_owned(), none()),
        (format!("GET /api/users/{id}"), none()),
        (format!("GET /api/users/{id}/posts"), none()),
        ("GET /api/posts".to_owned(), none()),
        ("GET /".to_owned(), none()),
        ("GET /feed.xml".to_owned(), none()),
        ("GET /account".to_owned(), none()),
        ("GET /login".to_owned(), none()),
        ("GET /health".to_owned(), none()),
        ("GET /ready".to_owned(), none()),
        ("GET /.well-known/jwks.json".to_owned(), none()),
        ("POST /api/users/token".to_owned(), login(name, PASSWORD)),
        ("POST /api/users/token".to_owned(), login(name, "wrong-horse")),
        (
            "POST /api/users/login".to_owned(),
            Content::json(&json!({
                "username": format!("{name}@example.com"), "password": PASSWORD
            })),
        ),
        ("POST /api/users/token/revoke".to_owned(), Content::form("token=storm".to_owned())),
        (
            "POST /api/users".to_owned(),
            Content::json(&json!({
                "username": format!("{name}x"), "email": format!("{name}x@example.com"), "password": PASSWORD
            })),
        ),
        ("POST /api/users/forgot-password".to_owned(), Content::json(&email)),
        ("POST /api/users/resend-verification".to_owned(), Content::json(&email)),
        ("POST /api/users/reset-password".to_owned(), Content::json(&token)),
        ("POST /api/users/verify-email".to_owned(), Content::json(&token)),
        ("POST /api/users/undo-email-change".to_owned(), Content::json(&token)),
        (format!("PATCH /api/users/{id}"), Content::json(&json!({ "username": name }))),
        (format!("PATCH /api/users/{id}/picture"), Content::picture(include_bytes!("../picture.png"))),
        (format!("DELETE /api/users/{id}/picture"), none()),
        ("POST /api/posts".to_owned(), Content::json(&post)),
        ("POST /login".to_owned(), login(name, PASSWORD)),
        ("POST /register".to_owned(), login(name, PASSWORD)),
        ("POST /account/sessions/end-others".to_owned(), none()),
    ];
    acts.iter().map(|(what, content)| content.request(what, &bearer(access))).collect()
}

/// Sends this many requests and cancels each of them; returns server errors that arrived in time.
async fn cut_off(address: SocketAddr, requests: Vec<Vec<u8>>, count: usize) -> Outcome<Vec<String>> {
    let (requests, left) = (Arc::new(requests), Arc::new(AtomicUsize::new(count)));
    let mut clients = JoinSet::new();
    for _ in 0..AT_A_TIME {
        let (requests, left) = (Arc::clone(&requests), Arc::clone(&left));
        clients.spawn(async move {
            let mut broken = Vec::new();
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                let chosen = usize::try_from(random(0..1 << 32)).unwrap_or_default() % requests.len();
                match timeout(CONNECT_MAX, give_up(address, &requests[chosen])).await {
                    Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 500") => broken.push(answer),
                    // A failed connection counts as cancelled, too.
                    Ok(_) => {}
                    Err(_) => broken.push(format!("no connection within {CONNECT_MAX:?}")),
                }
            }
            broken
        });
    }
    let mut broken = Vec::new();
    while let Some(found) = clients.join_next().await {
        broken.extend(found?);
    }
    Ok(broken)
}

/// Sends a request and disconnects in one of several ways; returns the part of a response that had arrived.
async fn give_up(address: SocketAddr, request: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(request).await?;
    let is_half_closed = random(0..3) == 0;
    if is_half_closed {
        stream.shutdown().await?;
    }
    sleep(Duration::from_millis(random(PATIENCE_MILLISECONDS))).await;
    let mut answer = vec![0; 1024];
    let length = stream.try_read(&mut answer).unwrap_or_default();
    // With unread bytes, or with zero linger, the system resets the connection.
    if !is_half_closed && random(0..2) == 0 {
        stream.set_zero_linger()?;
    }
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// Returns the users who can no longer log in with either the old password or the one of a cancelled change.
async fn all_log_in(target: &Target, ledger: &Ledger) -> Outcome<Vec<String>> {
    let begun = Instant::now();
    loop {
        // Requests still in progress keep hashing threads and connections busy for a moment.
        match promises::broken(target, ledger).await {
            Ok(lost) => return Ok(lost),
            Err(Broken(text)) if begun.elapsed() > SETTLE_MAX => return Ok(vec![text]),
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}
