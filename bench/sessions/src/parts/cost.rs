//! The cost of an authenticated request: the rate of `GET /api/users/me` over that of a bare axum handler.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bench_kit::account::me;
use bench_kit::bare;
use bench_kit::broken::{Broken, Outcome, broken};
use bench_kit::client::Connection;
use bench_kit::machine::process_cpu;
use bench_kit::report::{Figure, Goal};
use bench_kit::rounds::Rounds;
use bench_kit::server::{Log, Server};
use bench_kit::settle;
use bench_kit::statistics::median;
use tokio::task::JoinSet;

use crate::Bench;
use crate::setup::{self, Database};

const CONNECTIONS: usize = 32;
const USERS: usize = 10;
const SESSIONS: usize = 1000;

pub(crate) fn measure(bench: &Bench, database: Database) -> Outcome<Vec<Figure>> {
    bench.runtime.block_on(compare(bench, database))
}

/// The settings of a server that is measured.
struct Variant {
    /// The end of its figures' names.
    name: &'static str,
    settings: &'static [(&'static str, &'static str)],
    goal: Option<Goal>,
}

const VARIANTS: [Variant; 3] = [
    Variant { name: "", settings: &[], goal: Some(Goal::AtLeast(0.7)) },
    Variant { name: "_log_warn", settings: &[("LOG", "warn")], goal: None },
    Variant { name: "_cache_off", settings: &[("SESSION_CACHE", "off")], goal: None },
];

/// All rounds of a variant.
#[derive(Default)]
struct Measured {
    ratios: Vec<f64>,
    rates: Vec<f64>,
    bare_rates: Vec<f64>,
    /// Processor time of a request in microseconds, of the server and of the bare one.
    costs: Vec<f64>,
    bare_costs: Vec<f64>,
}

async fn compare(bench: &Bench, database: Database) -> Outcome<Vec<Figure>> {
    let (installation, database) = (bench.installation(database)?, database.name());
    let mut servers: Vec<Server> = Vec::new();
    for variant in &VARIANTS {
        servers.push(installation.start(Log::Nowhere, variant.settings)?);
    }
    let sessions = setup::sessions(servers[0].address, 0..USERS, SESSIONS).await?;
    let requests: Arc<Vec<Vec<u8>>> = Arc::new(sessions.iter().map(|tokens| me(&tokens.access)).collect());
    // Every session is known to every server before the first round.
    let mut limit = None;
    for server in &servers {
        let mut connection = Connection::open(server.address).await?;
        for request in requests.iter() {
            let answer = connection.ask(request).await?.expect(200)?;
            if limit.is_none() {
                limit = Some(bare::start(&bench.bare, "/api/users/me", &answer)?);
            }
        }
    }
    let bare = limit.ok_or_else(|| Broken("there are no sessions".to_owned()))?;
    same_answers(servers[0].address, bare.address, &requests[0]).await?;

    let mut measured: Vec<Measured> = VARIANTS.iter().map(|_| Measured::default()).collect();
    let mut plainly = Clients::of(bare.address, bare.process()).await?;
    let mut fully = Vec::new();
    for server in &servers {
        fully.push(Clients::of(server.address, server.process()).await?);
    }
    for round in 0..bench.scale.cost_rounds {
        for (fully, measured) in fully.iter_mut().zip(&mut measured) {
            let mut halves = [None, None];
            // Which of the two goes first alternates.
            for turn in [round % 2, 1 - round % 2] {
                settle().await;
                let clients = if turn == 0 { &mut plainly } else { &mut *fully };
                halves[turn] = Some(clients.load(&requests, bench.scale.cost_window).await?);
            }
            let [Some(plain), Some(full)] = halves else { continue };
            measured.ratios.push(full.rate / plain.rate);
            measured.rates.push(full.rate);
            measured.bare_rates.push(plain.rate);
            measured.costs.push(full.cost);
            measured.bare_costs.push(plain.cost);
        }
    }
    let figures = VARIANTS.iter().zip(measured).flat_map(|(variant, measured)| figures(variant, measured, database));
    let figures = figures.collect();
    for server in servers {
        server.stop()?;
    }
    Ok(figures)
}

fn figures(variant: &Variant, measured: Measured, database: &str) -> [Figure; 2] {
    let [rate, bare_rate, cost, bare_cost] =
        [measured.rates, measured.bare_rates, measured.costs, measured.bare_costs].map(|values| median(&values));
    let ratios = Rounds(measured.ratios);
    let note = format!(
        "{ratios}; {rate:.0} requests/s over {bare_rate:.0}; {cost:.1} us of processor time a request over {bare_cost:.1}"
    );
    let end = format!("{database}{}", variant.name);
    println!("  ratio_me_to_bare_{end}: {note}");
    [
        Figure::new(format!("ratio_me_to_bare_{end}"), ratios.median(), variant.goal, note),
        Figure::new(format!("me_cpu_us_{end}"), cost, None, format!("the bare handler: {bare_cost:.1}")),
    ]
}

/// The two answers may differ only in the request's id and the time.
async fn same_answers(server: SocketAddr, bare: SocketAddr, request: &[u8]) -> Outcome<()> {
    let mut answers = Vec::new();
    for address in [server, bare] {
        let mut connection = Connection::open(address).await?;
        let answer = connection.ask(request).await?.expect(200)?;
        let mut lines: Vec<String> = answer.head().lines().map(str::to_owned).collect();
        for line in &mut lines {
            if let Some((name, _)) = line.split_once(": ").filter(|(name, _)| ["date", "x-request-id"].contains(name)) {
                *line = name.to_owned();
            }
        }
        lines.sort();
        answers.push((lines, answer.body.to_vec()));
    }
    if answers[0] == answers[1] {
        return Ok(());
    }
    broken(format!("the bare handler does not answer the same: {:?}, {:?}", answers[0], answers[1]))
}

struct Load {
    /// Requests a second.
    rate: f64,
    /// Processor time of the server for a request, in microseconds.
    cost: f64,
}

/// Connections to one server, kept from round to round.
struct Clients {
    process: u32,
    connections: Vec<Connection>,
}

impl Clients {
    async fn of(address: SocketAddr, process: u32) -> Outcome<Self> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(address).await?);
        }
        Ok(Self { process, connections })
    }

    /// Sends the requests in turn over all connections; each connection sends the next when it has the answer to the last.
    async fn load(&mut self, requests: &Arc<Vec<Vec<u8>>>, window: Duration) -> Outcome<Load> {
        let next = Arc::new(AtomicUsize::new(0));
        let (begun, before) = (Instant::now(), process_cpu(self.process)?);
        let mut clients = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            let (next, requests) = (Arc::clone(&next), Arc::clone(requests));
            clients.spawn(async move {
                while begun.elapsed() < window {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    connection.exchange(&requests[number % requests.len()]).await?.expect(200)?;
                }
                Outcome::Ok(connection)
            });
        }
        while let Some(ended) = clients.join_next().await {
            self.connections.push(ended??);
        }
        let (elapsed, spent) = (begun.elapsed(), process_cpu(self.process)?.saturating_sub(before));
        let answered = next.load(Ordering::Relaxed).max(1) as f64;
        Ok(Load { rate: answered / elapsed.as_secs_f64(), cost: spent.as_secs_f64() * 1e6 / answered })
    }
}
