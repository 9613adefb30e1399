//! Kills the process at random moments while users register, reset and change passwords, and while the mail server
//! accepts mails, refuses them or does not respond. In the end every acknowledged request has its mail, and no mail is
//! about anything that is not in the database.
//!
//!     KILL_ROUNDS=200 TEST_DATABASE=sqlite cargo test -p countersign-server --test it -- kill:: --nocapture
//!
//! Without `KILL_ROUNDS`, only a few rounds run, and the test ends leases itself instead of waiting for them.
#![expect(
    clippy::similar_names,
    clippy::type_complexity,
    clippy::format_collect,
    clippy::print_stdout,
    reason = "a long run prints its results; the rest is readable as it is"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use countersign::testing::{SmtpMood, SmtpServer, SmtpServerOptions};
use countersign_db::testing::{TempDb, database_under_test};
use countersign_db::{Conn, on_db};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::client::{FORM, login_form};
use crate::sandbox::Sandbox;
use crate::{PASSWORD, current_database};

const SHORT_ROUNDS: usize = 5;
const CLIENTS: usize = 4;
/// How long a client waits for a response of a process that may be dead.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Lifetime of a process after its first response.
const LIFE_MILLISECONDS: std::ops::Range<u64> = 100..1_500;
/// A lease, plus the longest wait after failures, plus the duration of an attempt.
const DELIVERY_MAX: Duration = Duration::from_mins(9);
const NEW_PASSWORD: &str = "another-horse-entirely";

/// The acknowledged requests, and the number of all requests.
#[derive(Default)]
struct Acknowledged {
    registered: BTreeSet<String>,
    forgotten: BTreeSet<String>,
    changed: BTreeSet<String>,
    asked: usize,
    unanswered: usize,
}

struct Load {
    /// Address of the current process.
    address: Mutex<Option<SocketAddr>>,
    is_over: AtomicBool,
    users: AtomicUsize,
    acknowledged: Mutex<Acknowledged>,
}

impl Load {
    /// Sends a request; `None` without a complete response.
    fn ask(&self, method: &str, path: &str, token: &str, body: &Value) -> Option<(u16, Value)> {
        self.send(&format!("{method} {path}"), ("application/json", token), &body.to_string())
    }

    fn send(&self, what: &str, headers: (&str, &str), body: &str) -> Option<(u16, Value)> {
        self.acknowledged.lock().unwrap().asked += 1;
        let answer = self.exchange(what, headers, body);
        if answer.is_none() {
            self.acknowledged.lock().unwrap().unanswered += 1;
            // The next process has not started yet.
            thread::sleep(Duration::from_millis(20));
        }
        answer
    }

    fn exchange(&self, what: &str, (content_type, token): (&str, &str), body: &str) -> Option<(u16, Value)> {
        let address = (*self.address.lock().unwrap())?;
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_MAX).ok()?;
        stream.set_read_timeout(Some(ANSWER_MAX)).ok()?;
        let length = body.len();
        let request = format!(
            "{what} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8(answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, serde_json::from_str(body).ok()?))
    }

    fn note(&self, act: impl FnOnce(&mut Acknowledged) -> &mut BTreeSet<String>, name: &str) {
        act(&mut self.acknowledged.lock().unwrap()).insert(name.to_owned());
    }

    /// Registers one user after the other, then resets or changes the password. Nothing is requested twice, so that
    /// nothing is superseded and each request has one mail.
    fn run(&self) {
        while !self.is_over.load(Ordering::Relaxed) {
            let number = self.users.fetch_add(1, Ordering::Relaxed);
            let name = format!("user{number}");
            let email = format!("{name}@example.com");
            let body = json!({ "username": name, "email": email, "password": PASSWORD });
            match self.ask("POST", "/api/users", "", &body) {
                Some((201, _)) => self.note(|acknowledged| &mut acknowledged.registered, &name),
                _ => continue,
            }
            if number.is_multiple_of(2) {
                if let Some((202, _)) = self.ask("POST", "/api/users/forgot-password", "", &json!({ "email": email })) {
                    self.note(|acknowledged| &mut acknowledged.forgotten, &name);
                }
            } else {
                self.change_password(&name);
            }
        }
    }

    fn change_password(&self, name: &str) {
        let login = self.send("POST /api/users/token", (FORM.1, ""), &login_form(name));
        let Some((200, login)) = login else { return };
        let token = login["access_token"].as_str().unwrap().to_owned();
        let body = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
        if let Some((200, _)) = self.ask("PATCH", "/api/users/me/password", &token, &body) {
            self.note(|acknowledged| &mut acknowledged.changed, name);
        }
    }
}

/// Received mails by kind and user; each by its Message-ID, with the number of copies and the hash of its secret.
#[derive(Default)]
struct Arrived(BTreeMap<(&'static str, String), BTreeMap<String, (usize, Option<String>)>>);

impl Arrived {
    fn add(&mut self, mail: &Value) {
        let headers = mail["headers"].as_array().unwrap();
        let header = |name: &str| headers.iter().find(|header| header[0] == name).unwrap()[1].as_str().unwrap();
        let subject = header("Subject");
        let kinds = [("Confirm your e-mail", "verification"), ("Reset Your", "reset"), ("Your password was", "notice")];
        let kind = kinds.iter().find(|(begin, _)| subject.starts_with(begin));
        let (_, kind) = kind.unwrap_or_else(|| panic!("an unexpected mail: {subject}"));
        let name = mail["to"][0].as_str().unwrap().split('@').next().unwrap().to_owned();
        let text = mail["parts"][0]["text"].as_str().unwrap();
        let token = text.split_once("token=").map(|(_, rest)| rest.split_whitespace().next().unwrap());
        let hash = token.map(|token| Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect());
        let ids = self.0.entry((*kind, name)).or_default();
        ids.entry(header("Message-ID").to_owned()).or_insert((0, hash)).0 += 1;
    }

    fn names(&self, kind: &str) -> BTreeSet<String> {
        self.0.keys().filter(|(found, _)| *found == kind).map(|(_, name)| name.clone()).collect()
    }
}

async fn texts(database: &TempDb, statement: &'static str) -> Vec<String> {
    let mut read = database.db().read().await.unwrap();
    on_db!(read.conn(), c => sqlx::query_scalar(statement).fetch_all(c).await).unwrap()
}

async fn waiting(database: &TempDb) -> Vec<String> {
    texts(database, "SELECT kind || ' ' || COALESCE(last_error, '-') FROM auth_jobs WHERE kind NOT LIKE 'sweep%'").await
}

/// Makes all leases and waits end now.
async fn end_all_waits(database: &TempDb) {
    let mut tx = database.db().write().await.unwrap();
    let statement = "UPDATE auth_jobs SET run_at = created_at WHERE kind NOT LIKE 'sweep%'";
    on_db!(tx.conn(), c => sqlx::query(statement).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

/// A random number, different in each run.
fn random(range: std::ops::Range<u64>) -> u64 {
    let id = countersign::operator::random_uuid_v7(jiff::Timestamp::UNIX_EPOCH);
    range.start + u64::try_from(id.as_u128() % u128::from(range.end - range.start)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_at_any_moment_has_lost_no_mail_and_made_none_up() {
    #[expect(clippy::disallowed_methods, reason = "a variable sets the length of this test")]
    let rounds = std::env::var("KILL_ROUNDS").ok().map(|rounds| rounds.parse().expect("KILL_ROUNDS is a number"));
    let (is_full, rounds) = (rounds.is_some(), rounds.unwrap_or(SHORT_ROUNDS));
    let database = current_database().await;
    prove_addresses(&database).await;
    let mut server = SmtpServer::start(SmtpServerOptions::default());
    let sandbox = Sandbox::with_database(database.url())
        .set("MAIL_SERVER", "127.0.0.1")
        .set("MAIL_PORT", server.port())
        .set("MAIL_TLS", "none")
        .set("MAIL_TIMEOUT_SECONDS", 2)
        // All requests come from one address, without pauses.
        .set("RATE_LIMITS", "off")
        .set("LOG", "warn,countersign_server=info");
    let load = Arc::new(Load {
        address: Mutex::default(),
        is_over: AtomicBool::new(false),
        users: AtomicUsize::new(0),
        acknowledged: Mutex::default(),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let load = Arc::clone(&load);
            thread::spawn(move || load.run())
        })
        .collect();
    let begun = Instant::now();
    for round in 0..rounds {
        // Mostly accepting, or every mail would arrive only at the end.
        server.set_mood(
            [SmtpMood::Taking, SmtpMood::Taking, SmtpMood::Busy, SmtpMood::Taking, SmtpMood::Silent][round % 5],
        );
        let process = sandbox.start("serve");
        *load.address.lock().unwrap() = Some(process.address);
        tokio::time::sleep(Duration::from_millis(random(LIFE_MILLISECONDS))).await;
        process.signal("KILL");
        drop(process);
    }
    load.is_over.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
    let killed_for = begun.elapsed();
    let left = waiting(&database).await.len();
    server.set_mood(SmtpMood::Taking);
    if !is_full {
        end_all_waits(&database).await;
    }
    let last = sandbox.start("serve");
    let begun = Instant::now();
    let mut arrived = Arrived::default();
    loop {
        for mail in server.mails_so_far().await {
            arrived.add(&mail);
        }
        let waiting = waiting(&database).await;
        if waiting.is_empty() {
            break;
        }
        assert!(begun.elapsed() < DELIVERY_MAX, "{waiting:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for mail in server.mails_so_far().await {
        arrived.add(&mail);
    }
    drop(last);
    let acknowledged = std::mem::take(&mut *load.acknowledged.lock().unwrap());
    report(&acknowledged, &arrived, rounds, left);
    println!("killed for {:.0} s, delivered within {:.1} s", killed_for.as_secs_f64(), begun.elapsed().as_secs_f64());
    assert_kept(&acknowledged, &arrived);
    assert_true(&database, &arrived).await;
    assert!(
        2 * acknowledged.registered.len() >= rounds && acknowledged.unanswered > 0,
        "there was a load, and it was disturbed"
    );
}

/// Verifies every address on insert, because notices go only to verified addresses.
async fn prove_addresses(database: &TempDb) {
    let mut tx = database.db().write().await.unwrap();
    let statements: &[&'static str] = match tx.conn() {
        Conn::Sqlite(_) => &["CREATE TRIGGER prove AFTER INSERT ON auth_users BEGIN \
             UPDATE auth_users SET email_verified_at = created_at WHERE id = NEW.id; END"],
        Conn::Postgres(_) => &[
            "CREATE FUNCTION prove() RETURNS TRIGGER LANGUAGE plpgsql AS \
             $$ BEGIN NEW.email_verified_at := NEW.created_at; RETURN NEW; END $$",
            "CREATE TRIGGER prove BEFORE INSERT ON auth_users FOR EACH ROW EXECUTE FUNCTION prove()",
        ],
    };
    for statement in statements {
        on_db!(tx.conn(), c => sqlx::query(*statement).execute(c).await.map(drop)).unwrap();
    }
    tx.commit().await.unwrap();
}

fn report(acknowledged: &Acknowledged, arrived: &Arrived, rounds: usize, left: usize) {
    let Acknowledged { registered, forgotten, changed, asked, unanswered } = acknowledged;
    let mails = arrived.0.values().flat_map(BTreeMap::values);
    let (all, once) = (mails.clone().map(|(times, _)| times).sum::<usize>(), mails.count());
    println!(
        "{}: {rounds} kills; {asked} requests, {unanswered} without an answer; acknowledged: {} registrations, {} resets, \
         {} changed passwords; {left} mails left at the last kill; {all} mails arrived, {} of them again with the same id",
        database_under_test(),
        registered.len(),
        forgotten.len(),
        changed.len(),
        all - once,
    );
}

/// Asserts that every acknowledged request has its mail.
fn assert_kept(acknowledged: &Acknowledged, arrived: &Arrived) {
    let nothing = BTreeSet::<String>::new();
    // A password change or reset does not cancel these mails, because no token is used.
    let lost = |names: &BTreeSet<String>, kind| names - &arrived.names(kind);
    assert_eq!(lost(&acknowledged.registered, "verification"), nothing);
    assert_eq!(lost(&acknowledged.forgotten, "reset"), nothing);
    assert_eq!(lost(&acknowledged.changed, "notice"), nothing);
}

/// Asserts that every mail is about a row in the database, and that copies have the same Message-ID.
async fn assert_true(database: &TempDb, arrived: &Arrived) {
    let users: BTreeSet<String> = texts(database, "SELECT username FROM auth_users").await.into_iter().collect();
    let secrets: BTreeSet<String> =
        texts(database, "SELECT token_hash FROM auth_one_time_tokens").await.into_iter().collect();
    let changes = "SELECT username FROM auth_events AS events JOIN auth_users AS users ON users.id = events.subject_id \
                   WHERE events.kind IN ('password_changed', 'password_reset')";
    let changed: BTreeSet<String> = texts(database, changes).await.into_iter().collect();
    for ((kind, name), mails) in &arrived.0 {
        assert!(users.contains(name), "{kind} for {name}, who is not registered");
        assert_eq!(mails.len(), 1, "{kind} for {name} under several ids: {mails:?}");
        for (_, hash) in mails.values() {
            match hash {
                Some(hash) => assert!(secrets.contains(hash), "{kind} for {name} has a secret that is worth nothing"),
                None => assert!(changed.contains(name), "{kind} for {name} about nothing that happened"),
            }
        }
    }
}
