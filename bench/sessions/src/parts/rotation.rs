//! Whether clients notice that the signing keys and `SECRET_KEY` are replaced under load on two instances.

mod client;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bench_kit::account::User;
use bench_kit::broken::{Outcome, broken};
use bench_kit::client::{Connection, get};
use bench_kit::report::{Figure, Goal};
use bench_kit::server::{Installation, Log, Server};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Bench;
use crate::setup::{self, Database};
use client::Client;

const CLIENTS: usize = 16;
const POLL: Duration = Duration::from_millis(20);
/// All instances publish a new key within this, or something is broken.
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
/// Against `docs/operating.md`: an instance that is not restarted yet does not know the key that the other one uses.
const ONE_STEP: usize = 3;
/// As `docs/operating.md` says.
const TWO_STEPS: usize = 5;

#[derive(Default)]
struct Counts {
    requests: AtomicUsize,
    refreshes: AtomicUsize,
    /// Valid tokens that were refused.
    failed: AtomicUsize,
    /// Those of them that were accepted again a moment later.
    came_back: AtomicUsize,
    /// Refused refreshes.
    logouts: AtomicUsize,
    /// Requests that went to the other instance, because the connection failed or the answer was 503.
    moved: AtomicUsize,
    /// Any other answer.
    others: AtomicUsize,
}

struct Shared {
    instances: [SocketAddr; 2],
    stopping: AtomicBool,
    phase: AtomicUsize,
    counts: [Counts; PHASES.len()],
    /// When each head of a token, which names its key, was first seen.
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
        // A few of each phase.
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
    let mut installation = bench.installation(Database::Postgres)?;
    bench.runtime.block_on(rotate_everything(bench, &mut installation))
}

async fn rotate_everything(bench: &Bench, installation: &mut Installation) -> Outcome<Vec<Figure>> {
    installation.set("ALGORITHM", "EdDSA");
    installation.set("LOG", "warn");
    let mut servers = [installation.start(Log::Kept, &[])?, installation.start(Log::Kept, &[])?];
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
        server.stop()?;
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
    let zero = Some(Goal::AtMost(0.0));
    let figure = |name: &str, value, goal, note: String| Figure::new(format!("rotation_{name}"), value, goal, note);
    vec![
        figure(
            "failed_verifications",
            shared.total(|counts| &counts.failed),
            zero,
            format!("of {requests} requests{}", by_phase(|counts| &counts.failed)),
        ),
        figure(
            "logouts",
            shared.total(|counts| &counts.logouts) - in_one_step,
            zero,
            format!("of {refreshes} refreshes, without those of the next figure{}", by_phase(|counts| &counts.logouts)),
        ),
        figure(
            "logouts_one_step",
            in_one_step,
            None,
            "while SECRET_KEY was replaced in one step, against the documentation".to_owned(),
        ),
        figure("other_answers", shared.total(|counts| &counts.others), zero, "neither 200, 401 nor 503".to_owned()),
        figure("errors_logged", errors.len() as f64, zero, "by both instances".to_owned()),
        figure(
            "moved_requests",
            shared.total(|counts| &counts.moved),
            None,
            "to the other instance, during a restart".to_owned(),
        ),
    ]
}

/// Makes a new key, and waits until both instances publish it.
async fn rotate(installation: &Installation, shared: &Shared, command: &str) -> Outcome<()> {
    let output = installation.run(command)?;
    let kid = output.split(' ').next().unwrap_or_default();
    let begun = Instant::now();
    for instance in shared.instances {
        let mut connection = Connection::open(instance).await?;
        loop {
            let answer = connection.ask(&get("/.well-known/jwks.json")).await?.expect(200)?;
            if answer.body.windows(kid.len()).any(|part| part == kid.as_bytes()) {
                break;
            }
            if begun.elapsed() > PUBLISHED_MAX {
                return broken(format!("{instance} does not publish {kid} within {PUBLISHED_MAX:?}"));
            }
            sleep(POLL).await;
        }
    }
    println!("  {command}: published by both after {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Restarts one after the other, each at its port, with the present settings.
async fn restart(installation: &Installation, servers: [Server; 2], pause: Duration) -> Outcome<[Server; 2]> {
    let [first, second] = servers;
    let first = restart_one(installation, first)?;
    sleep(pause).await;
    let second = restart_one(installation, second)?;
    sleep(pause).await;
    Ok([first, second])
}

fn restart_one(installation: &Installation, server: Server) -> Outcome<Server> {
    let port = server.address.port();
    server.stop()?;
    installation.start_at(port, Log::Kept, &[])
}
