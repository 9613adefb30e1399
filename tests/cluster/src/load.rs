//! The clients: they register, log in, get their account, write posts, upload pictures, refresh their tokens and change
//! their passwords, one request after the other, each over a kept connection.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Answer, Client, Content, Target};
use crate::ledger::{Account, Failure, Ledger, Picture};

/// A small picture, so that processing is quick.
const PICTURE: &[u8] = include_bytes!("picture.png");
/// Number of times an account does everything before its client registers the next one.
const ROUNDS: usize = 3;
/// Pause of a client after a failed request.
const PAUSE: Duration = Duration::from_millis(50);

/// What clients do after a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AfterFailure {
    /// Continue with the next request.
    GoOn,
    /// Stop.
    GiveUp,
}

/// Clients at work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

struct Shared {
    ledger: Mutex<Ledger>,
    is_over: AtomicBool,
    users: Arc<AtomicUsize>,
    after_failure: AfterFailure,
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

impl Load {
    /// Starts the clients. `users` numbers the accounts, so that names are unique.
    pub(crate) fn begin(
        target: &Target,
        clients: usize,
        users: &Arc<AtomicUsize>,
        after_failure: AfterFailure,
    ) -> Self {
        let shared = Arc::new(Shared {
            ledger: Mutex::default(),
            is_over: AtomicBool::new(false),
            users: Arc::clone(users),
            after_failure,
        });
        let mut tasks = JoinSet::new();
        for _ in 0..clients {
            let visitor = Visitor { shared: Arc::clone(&shared), client: Client::new(target) };
            tasks.spawn(visitor.work());
        }
        Self { shared, clients: tasks }
    }

    /// Number of writes acknowledged so far.
    pub(crate) fn writes(&self) -> usize {
        self.shared.ledger().writes.len()
    }

    /// Number of failed requests so far.
    pub(crate) fn failed(&self) -> usize {
        self.shared.ledger().failures.len()
    }

    /// Number of requests so far.
    pub(crate) fn asked(&self) -> usize {
        self.shared.ledger().asked
    }

    /// Waits for the clients to finish their current requests.
    pub(crate) async fn end(mut self) -> Ledger {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while self.clients.join_next().await.is_some() {}
        std::mem::take(&mut *self.shared.ledger())
    }
}

/// One client.
struct Visitor {
    shared: Arc<Shared>,
    client: Client,
}

/// A missing or unexpected response, which has been recorded.
struct Failed;

/// Tokens of a logged-in client.
struct Tokens {
    access: String,
    refresh: String,
}

impl Visitor {
    async fn work(mut self) {
        while !self.shared.is_over() {
            let name = format!("user{}", self.shared.users.fetch_add(1, Ordering::Relaxed));
            if self.life_of(&name).await.is_err() {
                if self.shared.after_failure == AfterFailure::GiveUp {
                    return;
                }
                sleep(PAUSE).await;
            }
        }
    }

    async fn life_of(&mut self, name: &str) -> Result<(), Failed> {
        let mut password = "correct-horse-battery-staple".to_owned();
        let body = json!({ "username": name, "email": format!("{name}@example.com"), "password": password });
        let registered = self.ask("POST /api/users", "", &Content::json(&body), 201).await?;
        let id = text(&registered, "id");
        let account = Account { id: id.clone(), passwords: vec![password.clone()], picture: Picture::Default };
        self.shared.ledger().accounts.insert(name.to_owned(), account);
        let mut tokens = self.log_in(name, &password).await?;
        for round in 0..ROUNDS {
            if self.shared.is_over() {
                break;
            }
            self.ask("GET /api/users/me", &tokens.access, &Content::none(), 200).await?;
            self.publish(name, round, &tokens).await?;
            self.upload(name, &id, &tokens).await?;
            tokens = self.refresh(&tokens).await?;
            self.ask("GET /api/posts", "", &Content::none(), 200).await?;
            if round + 1 < ROUNDS {
                let new = format!("{password}-{round}");
                tokens = self.change_password(name, &password, &new, &tokens).await?;
                password = new;
            }
        }
        self.log_in(name, &password).await.map(drop)
    }

    async fn log_in(&mut self, name: &str, password: &str) -> Result<Tokens, Failed> {
        let form = Content::form(format!("username={name}%40example.com&password={password}"));
        self.ask("POST /api/users/token", "", &form, 200).await.map(|answer| tokens(&answer))
    }

    async fn refresh(&mut self, old: &Tokens) -> Result<Tokens, Failed> {
        let form = Content::form(format!("grant_type=refresh_token&refresh_token={}", old.refresh));
        self.ask("POST /api/users/token", "", &form, 200).await.map(|answer| tokens(&answer))
    }

    async fn publish(&mut self, name: &str, round: usize, tokens: &Tokens) -> Result<(), Failed> {
        let title = format!("{name}, {round}");
        let body = Content::json(&json!({ "title": title, "content": "What happens when a machine goes away." }));
        let post = self.ask("POST /api/posts", &tokens.access, &body, 201).await?;
        self.shared.ledger().posts.insert(text(&post, "id"), title);
        Ok(())
    }

    async fn upload(&mut self, name: &str, id: &str, tokens: &Tokens) -> Result<(), Failed> {
        // The picture is unknown until the response arrives.
        self.note(name, |account| account.picture = Picture::Unknown);
        let path = format!("PATCH /api/users/{id}/picture");
        let answer = self.ask(&path, &tokens.access, &Content::picture(PICTURE), 200).await?;
        self.note(name, |account| account.picture = Picture::File(text(&answer, "image_file")));
        self.shared.ledger().pictures += 1;
        Ok(())
    }

    async fn change_password(&mut self, name: &str, old: &str, new: &str, before: &Tokens) -> Result<Tokens, Failed> {
        self.note(name, |account| account.passwords = vec![new.to_owned(), old.to_owned()]);
        let body = Content::json(&json!({ "current_password": old, "new_password": new }));
        let answer = self.ask("PATCH /api/users/me/password", &before.access, &body, 200).await?;
        self.note(name, |account| account.passwords.truncate(1));
        self.shared.ledger().changed_passwords += 1;
        Ok(tokens(&answer))
    }

    fn note(&self, name: &str, what: impl FnOnce(&mut Account)) {
        if let Some(account) = self.shared.ledger().accounts.get_mut(name) {
            what(account);
        }
    }

    /// Sends one request without retries and records the outcome.
    async fn ask(&mut self, what: &str, token: &str, content: &Content, status: u16) -> Result<Value, Failed> {
        let begun = Instant::now();
        let answer = self.client.ask(what, token, content).await;
        let mut ledger = self.shared.ledger();
        ledger.asked += 1;
        match answer {
            Ok(answer) if answer.status == status => {
                if !what.starts_with("GET") {
                    ledger.writes.push(Instant::now());
                }
                Ok(answer.json())
            }
            wrong => {
                let (at, waited) = (Instant::now(), begun.elapsed());
                ledger.failures.push(Failure { at, what: what.to_owned(), how: describe(&wrong), waited });
                Err(Failed)
            }
        }
    }
}

fn describe(answer: &io::Result<Answer>) -> String {
    match answer {
        Ok(answer) => format!("{} {}", answer.status, answer.json()["code"].as_str().unwrap_or_default()),
        Err(error) => format!("no answer, {:?}", error.kind()),
    }
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_default().to_owned()
}

fn tokens(answer: &Value) -> Tokens {
    Tokens { access: text(answer, "access_token"), refresh: text(answer, "refresh_token") }
}
