//! A client that stays logged in while keys are replaced: it uses its newest token, earlier ones, and refreshes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bench_kit::account::{Tokens, User, me, refresh};
use bench_kit::broken::{Outcome, broken};
use bench_kit::client::{Answer, Connection};
use tokio::time::sleep;

use super::{Shared, add, lock};

/// One request in this many is a refresh.
const REFRESH_EVERY: usize = 10;
/// One request in this many uses an earlier token, which has to be as good as the newest.
const EARLIER_EVERY: usize = 4;
const EARLIER_MAX: usize = 20;
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(3);
/// After a failed connection.
const RETRY: Duration = Duration::from_millis(20);
/// While one instance restarts, the other has to answer within this.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// A refused token is tried again for this long, to tell a moment from the end.
const COME_BACK_MAX: Duration = Duration::from_secs(3);

/// An access token with its origin.
#[derive(Clone)]
struct Held {
    access: String,
    by: usize,
    at: Instant,
}

impl Held {
    /// The part that names the key.
    fn head(&self) -> &str {
        self.access.split('.').next().unwrap_or_default()
    }
}

pub(super) struct Client {
    shared: Arc<Shared>,
    user: User,
    refresh: String,
    /// The first is kept, the last is the newest.
    held: Vec<Held>,
    connections: [Option<Connection>; 2],
    turn: usize,
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, user: User, tokens: Tokens) -> Self {
        let mut client =
            Self { shared, user, refresh: String::new(), held: Vec::new(), connections: [None, None], turn: user.0 };
        client.hold(tokens, 0);
        client
    }

    fn hold(&mut self, tokens: Tokens, by: usize) {
        let at = Instant::now();
        self.refresh = tokens.refresh;
        if self.held.len() == EARLIER_MAX {
            self.held.remove(1 + self.turn % (EARLIER_MAX - 2));
        }
        let held = Held { access: tokens.access, by, at };
        lock(&self.shared.heads).entry(held.head().to_owned()).or_insert(at);
        self.held.push(held);
    }

    pub(super) async fn work(mut self) -> Outcome<()> {
        let shared = Arc::clone(&self.shared);
        while !shared.stopping.load(Ordering::Relaxed) {
            self.turn += 1;
            let instance = self.turn / 2 % 2;
            if self.turn.is_multiple_of(REFRESH_EVERY) {
                self.refresh(instance).await?;
            } else {
                self.read(instance).await?;
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn read(&mut self, instance: usize) -> Outcome<()> {
        let index =
            if self.turn.is_multiple_of(EARLIER_EVERY) { self.turn % self.held.len() } else { self.held.len() - 1 };
        let held = self.held[index].clone();
        let (status, _, by) = self.ask(&me(&held.access), instance).await?;
        let shared = Arc::clone(&self.shared);
        add(&shared.counts().requests);
        match status {
            200 => return Ok(()),
            401 => add(&shared.counts().failed),
            _ => {
                add(&shared.counts().others);
                shared.example(&format!("{status} to a request at instance {by}"));
                return Ok(());
            }
        }
        let refused = Instant::now();
        let key_seen = lock(&shared.heads).get(held.head()).map_or(Duration::ZERO, |at| refused - *at);
        let mut came_back = None;
        while came_back.is_none() && refused.elapsed() < COME_BACK_MAX {
            sleep(RETRY).await;
            let (status, _, _) = self.ask(&me(&held.access), by).await?;
            came_back = (status == 200).then(|| refused.elapsed());
        }
        let then = match came_back {
            Some(after) => format!("accepted again after {after:.0?}"),
            None => format!("and still after {COME_BACK_MAX:?}"),
        };
        shared.example(&format!(
            "instance {by} refused a token made {:.1?} before by instance {}, whose key was first seen {key_seen:.1?} before; {then}",
            refused - held.at,
            held.by,
        ));
        if came_back.is_some() {
            add(&shared.counts().came_back);
            return Ok(());
        }
        self.log_in().await
    }

    async fn refresh(&mut self, instance: usize) -> Outcome<()> {
        let (status, body, by) = self.ask(&refresh(&self.refresh), instance).await?;
        let shared = Arc::clone(&self.shared);
        add(&shared.counts().refreshes);
        match status {
            200 => {
                self.hold(tokens(body)?, by);
                Ok(())
            }
            400 | 401 => {
                add(&shared.counts().logouts);
                let issued_by = self.held.last().map_or(0, |held| held.by);
                shared.example(&format!(
                    "instance {by} refused a refresh token of instance {issued_by}: {status} {}",
                    String::from_utf8_lossy(&body).replace('\n', " ")
                ));
                self.log_in().await
            }
            _ => {
                add(&shared.counts().others);
                shared.example(&format!("{status} to a refresh at instance {by}"));
                Ok(())
            }
        }
    }

    async fn log_in(&mut self) -> Outcome<()> {
        let (status, body, by) = self.ask(&self.user.login(), self.turn % 2).await?;
        if status != 200 {
            return broken(format!("a login got {status}: {}", String::from_utf8_lossy(&body)));
        }
        self.held.clear();
        self.hold(tokens(body)?, by);
        Ok(())
    }

    /// The status, the body and the instance that answered: the other one if this one cannot.
    async fn ask(&mut self, request: &[u8], mut instance: usize) -> Outcome<(u16, Vec<u8>, usize)> {
        let begun = Instant::now();
        loop {
            let answered = self.try_ask(request, instance).await;
            match answered {
                Ok((status, body)) if status != 503 => return Ok((status, body, instance)),
                Ok(_) => {}
                Err(_) => self.connections[instance] = None,
            }
            if begun.elapsed() > RETRY_MAX {
                return broken(format!("neither instance answered within {RETRY_MAX:?}"));
            }
            add(&self.shared.counts().moved);
            instance = 1 - instance;
            sleep(RETRY).await;
        }
    }

    async fn try_ask(&mut self, request: &[u8], instance: usize) -> std::io::Result<(u16, Vec<u8>)> {
        let connection = match &mut self.connections[instance] {
            Some(connection) => connection,
            none => none.insert(Connection::open(self.shared.instances[instance]).await?),
        };
        let answer = connection.ask(request).await?;
        Ok((answer.status, answer.body.to_vec()))
    }
}

fn tokens(body: Vec<u8>) -> Outcome<Tokens> {
    Tokens::read(&Answer { status: 200, head: [][..].into(), body: body.into() })
}
