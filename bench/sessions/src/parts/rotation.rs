//! Decides whether anybody notices that the signing keys and `SECRET_KEY` are replaced while two instances are in use.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Bench;
use crate::broken::{Broken, Outcome};
use crate::http::{Connection, Tokens, User, get, me, refresh};
use crate::report::{Figure, Goal};
use crate::server::{Installation, Log, Server};
use crate::setup::{self, OnPostgres};

const CLIENTS: usize = 16;
/// One request of so many is a refresh.
const REFRESH_EVERY: usize = 10;
/// One of so many is made with an earlier token, which has to be as good as the last.
const EARLIER_EVERY: usize = 4;
const EARLIER_MAX: usize = 20;
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(3);
/// After a failed connection.
const RETRY: Duration = Duration::from_millis(20);
/// With one instance restarting, the other has to answer within this.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// For so long a token that was refused is tried again, to tell a moment from the end.
const COME_BACK_MAX: Duration = Duration::from_secs(3);
/// A key that was made is published by all instances within this, or something is broken.
const PUBLISHED_MAX: Duration = Duration::from_secs(30);
const EXAMPLES_MAX: usize = 12;

const PHASES: [&str; 7] = [
    "nothing happens",
    "keys rotate",
    "keys rotate --now",
    "SECRET_KEY replaced in one step",
    "keys reseal",
    "SECRET_KEY replaced in two steps",
    "earlier keys left out",
];
/// Not what `docs/operating.md` says: an instance that is not restarted yet does not know the key that the other one uses.
const ONE_STEP: usize = 3;
/// What it says.
const TWO_STEPS: usize = 5;

#[derive(Default)]
struct Counts {
    requests: AtomicUsize,
    refreshes: AtomicUsize,
    /// Valid tokens that were refused.
    failed: AtomicUsize,
    /// Of them, those that were believed again a moment later.
    came_back: AtomicUsize,
    /// Refused refreshes.
    logouts: AtomicUsize,
    /// Requests that had to go to the other instance, because the connection failed or the answer was 503.
    moved: AtomicUsize,
    /// Any other answer.
    others: AtomicUsize,
}

struct Shared {
    instances: [SocketAddr; 2],
    stopping: AtomicBool,
    phase: AtomicUsize,
    counts: [Counts; PHASES.len()],
    /// When a token with this head, which names its key, was first seen.
    heads: Mutex<HashMap<String, Instant>>,
    examples: Mutex<Vec<String>>,
}

impl Shared {
    fn counts(&self) -> &Counts {
        &self.counts[self.phase.load(Ordering::Relaxed)]
    }

    fn example(&self, text: &str) {
        let mut examples = lock(&self.examples);
        let phase = PHASES[self.phase.load(Ordering::Relaxed)];
        // Some of each phase.
        if examples.iter().filter(|example| example.starts_with(phase)).count() < EXAMPLES_MAX / 3 {
            examples.push(format!("{phase}: {text}"));
        }
    }

    fn total(&self, count: fn(&Counts) -> &AtomicUsize) -> f64 {
        self.counts.iter().map(|counts| count(counts).load(Ordering::Relaxed)).sum::<usize>() as f64
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn add(count: &AtomicUsize) {
    count.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    bench.runtime.block_on(async {
        let mut postgres = OnPostgres::new(&bench.program).await?;
        rotate_everything(bench, &mut postgres.installation).await
    })
}

async fn rotate_everything(bench: &Bench, installation: &mut Installation) -> Outcome<Vec<Figure>> {
    installation.set("ALGORITHM", "EdDSA");
    let mut servers = [installation.start(Log::Warnings, &[]).await?, installation.start(Log::Warnings, &[]).await?];
    let shared = Arc::new(Shared {
        instances: [servers[0].address, servers[1].address],
        stopping: AtomicBool::default(),
        phase: AtomicUsize::default(),
        counts: Default::default(),
        heads: Mutex::default(),
        examples: Mutex::default(),
    });
    let mut clients = JoinSet::new();
    for user in 0..CLIENTS {
        let tokens = setup::sessions(servers[0].address, user..user + 1, 1).await?;
        for tokens in tokens {
            clients.spawn(Client::new(Arc::clone(&shared), User(user), tokens).work());
        }
    }
    let pause = bench.scale.rotation_pause;
    let phase = |number: usize| shared.phase.store(number, Ordering::Relaxed);
    sleep(pause).await;

    phase(1);
    rotate(installation, &shared, "keys rotate").await?;
    sleep(pause).await;

    phase(2);
    for _ in 0..bench.scale.rotations {
        rotate(installation, &shared, "keys rotate --now").await?;
        sleep(pause).await;
    }

    phase(ONE_STEP);
    let (first, second, third) =
        (installation.get("SECRET_KEY").to_owned(), installation.secret_key()?, installation.secret_key()?);
    installation.set("SECRET_KEY", &second);
    installation.set("SECRET_KEY_PREVIOUS", &first);
    servers = restart(installation, servers, pause).await?;

    phase(4);
    println!("  keys reseal: {}", installation.run("keys reseal")?.trim());
    sleep(pause).await;

    phase(TWO_STEPS);
    installation.set("SECRET_KEY_PREVIOUS", &format!("{third},{first}"));
    servers = restart(installation, servers, pause).await?;
    installation.set("SECRET_KEY", &third);
    installation.set("SECRET_KEY_PREVIOUS", &second);
    servers = restart(installation, servers, pause).await?;
    println!("  keys reseal: {}", installation.run("keys reseal")?.trim());
    sleep(pause).await;

    phase(6);
    installation.unset("SECRET_KEY_PREVIOUS");
    servers = restart(installation, servers, pause).await?;

    shared.stopping.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    let errors: Vec<String> = servers.iter().flat_map(Server::errors).collect();
    for server in servers {
        server.stop().await?;
    }
    Ok(figures(&shared, &errors))
}

fn figures(shared: &Shared, errors: &[String]) -> Vec<Figure> {
    println!(
        "  {:<48} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "phase", "requests", "refreshes", "failed", "came back", "logouts", "moved", "others"
    );
    for (phase, counts) in PHASES.iter().zip(&shared.counts) {
        let Counts { requests, refreshes, failed, came_back, logouts, moved, others } = counts;
        let mut line = format!("  {phase:<48}");
        for count in [requests, refreshes, failed, came_back, logouts, moved, others] {
            // Writing to a string cannot fail.
            let _ = write!(line, " {:>9}", count.load(Ordering::Relaxed));
        }
        println!("{line}");
    }
    for example in lock(&shared.examples).iter() {
        println!("  {example}");
    }
    for error in errors.iter().take(EXAMPLES_MAX) {
        println!("  logged: {error}");
    }
    let requests = shared.total(|counts| &counts.requests);
    let refreshes = shared.total(|counts| &counts.refreshes);
    let by_phase = |count: fn(&Counts) -> &AtomicUsize| {
        let mut text = String::new();
        for (phase, counts) in PHASES.iter().zip(&shared.counts) {
            let count = count(counts).load(Ordering::Relaxed);
            if count > 0 {
                let _ = write!(text, "; {phase}: {count}");
            }
        }
        text
    };
    let in_one_step = shared.counts[ONE_STEP].logouts.load(Ordering::Relaxed) as f64;
    let figure = |name: &str, value, goal, note: String| Figure::new(format!("rotation_{name}"), value, goal, note);
    vec![
        figure(
            "failed_verifications",
            shared.total(|counts| &counts.failed),
            Goal::AtMost(0.0),
            format!("of {requests} requests{}", by_phase(|counts| &counts.failed)),
        ),
        figure(
            "logouts",
            shared.total(|counts| &counts.logouts) - in_one_step,
            Goal::AtMost(0.0),
            format!("of {refreshes} refreshes, without those of the next line{}", by_phase(|counts| &counts.logouts)),
        ),
        figure(
            "logouts_one_step",
            in_one_step,
            Goal::None,
            "where SECRET_KEY was replaced in one step, which the documentation warns of".to_owned(),
        ),
        figure(
            "other_answers",
            shared.total(|counts| &counts.others),
            Goal::AtMost(0.0),
            "neither 200, 401 nor 503".to_owned(),
        ),
        figure("errors_logged", errors.len() as f64, Goal::AtMost(0.0), "by both instances".to_owned()),
        figure(
            "moved_requests",
            shared.total(|counts| &counts.moved),
            Goal::None,
            "to the other instance, during a restart".to_owned(),
        ),
    ]
}

/// Makes a new key, and waits until both instances publish it.
async fn rotate(installation: &Installation, shared: &Shared, command: &str) -> Outcome<()> {
    let said = installation.run(command)?;
    let kid = said.split(' ').next().unwrap_or_default();
    let begun = Instant::now();
    for instance in shared.instances {
        let mut connection = Connection::open(instance).await?;
        loop {
            let answer = connection.ask(&get("/.well-known/jwks.json", "")).await?.expect(200)?;
            if answer.body.windows(kid.len()).any(|part| part == kid.as_bytes()) {
                break;
            }
            if begun.elapsed() > PUBLISHED_MAX {
                return Err(Broken(format!("{instance} does not publish {kid} within {PUBLISHED_MAX:?}")));
            }
            sleep(RETRY).await;
        }
    }
    println!("  {command}: published by both after {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// One after the other, each at its port, with the settings that hold now.
async fn restart(installation: &Installation, servers: [Server; 2], pause: Duration) -> Outcome<[Server; 2]> {
    let [first, second] = servers;
    let first = restart_one(installation, first).await?;
    sleep(pause).await;
    let second = restart_one(installation, second).await?;
    sleep(pause).await;
    Ok([first, second])
}

async fn restart_one(installation: &Installation, server: Server) -> Outcome<Server> {
    let port = server.address.port();
    server.stop().await?;
    installation.start_at(port, Log::Warnings, &[]).await
}

/// A token, and where it comes from.
#[derive(Clone)]
struct Held {
    access: String,
    by: usize,
    at: Instant,
}

impl Held {
    /// Names the key.
    fn head(&self) -> &str {
        self.access.split('.').next().unwrap_or_default()
    }
}

/// Somebody who is logged in and means to stay.
struct Client {
    shared: Arc<Shared>,
    user: User,
    refresh: String,
    /// The first is kept, the last is the newest.
    held: Vec<Held>,
    connections: [Option<Connection>; 2],
    turn: usize,
}

impl Client {
    fn new(shared: Arc<Shared>, user: User, tokens: Tokens) -> Self {
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

    async fn work(mut self) -> Outcome<()> {
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
            Some(after) => format!("believed again after {after:.0?}"),
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
                self.hold(tokens(&body)?, by);
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
            return Err(Broken(format!("a login got {status}: {}", String::from_utf8_lossy(&body))));
        }
        self.held.clear();
        self.hold(tokens(&body)?, by);
        Ok(())
    }

    /// The status, the body and who answered: the other instance if this one cannot.
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
                return Err(Broken(format!("neither instance answered within {RETRY_MAX:?}")));
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

fn tokens(body: &[u8]) -> Outcome<Tokens> {
    Tokens::read(&crate::http::Answer { status: 200, head: &[], body })
}
