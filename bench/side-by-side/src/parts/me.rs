//! The cost of an authenticated request: the rate of `GET /me` over that of a bare axum handler and of the peers; and the rates
//! of introspecting a token and of exchanging one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bench_kit::account::refresh;
use bench_kit::bare;
use bench_kit::broken::{Broken, Outcome, While as _};
use bench_kit::client::{Connection, bearer, request};
use bench_kit::report::short;
use bench_kit::server::Server;
use bench_kit::settle;
use tokio::task::JoinSet;

use crate::Bench;
use crate::contestant::Session;
use crate::field::{Entrant, Home, entrants, or_left_out, order, postgres};
use crate::findings::Findings;
use crate::load::{self, Load, Plan};

pub(crate) const BARE: &str = "bare axum";
pub(crate) const CLIENTS: usize = 32;
const USERS: usize = 8;
const SESSIONS: usize = 64;
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
const GOALS: [(&str, f64); 3] = [(BARE, 0.7), ("fastapi", 40.0), ("better-auth", 40.0)];

pub(crate) fn measure(bench: &Bench, findings: &mut Findings) -> Outcome<()> {
    let postgres = postgres()?;
    bench.runtime.block_on(async {
        for home in [Home::Sqlite, Home::Postgres(&postgres)] {
            on(bench, findings, &home).await?;
        }
        Ok(())
    })
}

/// A server that gets the same requests repeatedly.
pub(crate) struct Asked<'b> {
    pub(crate) name: String,
    pub(crate) server: &'b Server,
    pub(crate) requests: Arc<Vec<Vec<u8>>>,
}

async fn on(bench: &Bench, findings: &mut Findings, home: &Home<'_>) -> Outcome<()> {
    let field = entrants(bench, findings, home, USERS).await?;
    let mut own = Vec::new();
    let (mut me, mut verify) = (Vec::new(), Vec::new());
    for entrant in &field {
        let sessions = entrant.sessions(USERS, SESSIONS).await.doing(entrant.name());
        let Some(sessions) = or_left_out(findings, entrant.contestant, sessions)? else { continue };
        let path = entrant.contestant.me();
        let requests = Arc::new(sessions.iter().map(|session| session.get(path)).collect::<Vec<_>>());
        if entrant.is_ours() {
            let secret = entrant.installation.get("INTROSPECTION_SECRET");
            let requests = Arc::new(sessions.iter().map(|session| introspection(session, secret)).collect());
            verify.push(Asked { name: entrant.name().to_owned(), server: &entrant.server, requests });
            own = sessions;
        }
        me.push(Asked { name: entrant.name().to_owned(), server: &entrant.server, requests });
    }
    let ours = field.iter().find(|entrant| entrant.is_ours()).ok_or_else(|| Broken("ours is missing".to_owned()))?;
    let (bare_me, bare_verify) = (limit(bench, &me[0]).await?, limit(bench, &verify[0]).await?);
    for (asked, bare) in [(&mut me, &bare_me), (&mut verify, &bare_verify)] {
        let requests = Arc::clone(&asked[0].requests);
        asked.insert(1, Asked { name: BARE.to_owned(), server: bare, requests });
    }
    let (name, title) = (home.name(), home.title());
    let read = [
        (format!("me-{name}"), format!("GET /me on {title}, {CLIENTS} at a time"), me),
        (format!("verify-{name}"), format!("Introspecting an access token on {title}"), verify),
    ];
    for round in 0..bench.scale.rounds {
        for (id, what, asked) in &read {
            ask_round(bench, findings, (id, what), asked, round).await?;
        }
    }
    for round in 0..bench.scale.rounds {
        let rate = exchange(bench, ours, &mut own).await.doing("exchanging refresh tokens")?;
        findings.add(
            &format!("refresh-{name}"),
            &format!("Refresh tokens exchanged on {title}, {CLIENTS} at a time"),
            "exchanges/s",
            ours.name(),
            rate,
        );
        println!("  refresh-{name} round {}: {}/s", round + 1, short(rate));
    }
    findings.ratios(&read[0].0, &GOALS);
    findings.ratios(&read[1].0, &[]);
    Ok(())
}

/// A bare server that repeats the first answer to these requests.
pub(crate) async fn limit(bench: &Bench, asked: &Asked<'_>) -> Outcome<Server> {
    let mut connection = Connection::open(asked.server.address).await?;
    let request = &asked.requests[0];
    let line = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    let path = line.split(' ').nth(1).unwrap_or_default();
    bare::start(&bench.bare, path, &connection.ask(request).await?.expect(200)?)
}

/// Measures each server in several turns, in changing orders, and adds them up, because other programs on the machine can
/// disturb a turn as short as these.
pub(crate) async fn ask_round(
    bench: &Bench,
    findings: &mut Findings,
    (id, what): (&str, &str),
    asked: &[Asked<'_>],
    round: usize,
) -> Outcome<()> {
    let plan = Plan { clients: CLIENTS, window: bench.scale.read_window, deadline: DEADLINE, status: 200 };
    let turns = bench.scale.read_turns;
    let mut loads: Vec<Vec<Load>> = asked.iter().map(|_| Vec::new()).collect();
    for turn in 0..turns {
        for place in order(asked.len(), round * turns + turn) {
            let Asked { name, server, requests } = &asked[place];
            settle().await;
            let load = load::run(server, plan, requests).await?.whole().doing(name)?;
            let spent = findings.spent(load.spent);
            println!("  {id} {name}: {}/s; {spent}", short(load.rate()));
            loads[place].push(load);
        }
    }
    for (Asked { name, .. }, loads) in asked.iter().zip(&loads) {
        let answered = loads.iter().map(|load| load.answered).sum::<usize>() as f64;
        let seconds = loads.iter().map(|load| load.elapsed).sum::<Duration>().as_secs_f64();
        let cpu = loads.iter().map(|load| load.spent.server).sum::<Duration>().as_secs_f64() * 1e6 / answered;
        findings.add(id, what, "requests/s", name, answered / seconds);
        findings.add(&format!("{id}-cpu"), &format!("{what}: processor time of the server for each"), "µs", name, cpu);
        println!("  {id} {name} in round {}: {}/s, {} µs", round + 1, short(answered / seconds), short(cpu));
    }
    Ok(())
}

fn introspection(session: &Session, secret: &str) -> Vec<u8> {
    let secret = bearer(secret);
    let headers = [("authorization", secret.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    request("POST /api/users/token/introspect", &headers, format!("token={}", session.token()).as_bytes())
}

/// Every client exchanges its refresh token, then the new one, and so on. Returns the exchanges per second.
async fn exchange(bench: &Bench, ours: &Entrant<'_>, sessions: &mut [Session]) -> Outcome<f64> {
    let exchanged = Arc::new(AtomicUsize::new(0));
    let (address, window) = (ours.server.address, bench.scale.read_window);
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for (place, session) in sessions.iter().take(CLIENTS).enumerate() {
        let token = session.refresh.clone();
        let mut token = token.ok_or_else(|| Broken("a login gave no refresh token".to_owned()))?;
        let exchanged = Arc::clone(&exchanged);
        clients.spawn(async move {
            let mut connection = Connection::open(address).await?;
            while begun.elapsed() < window {
                let body = connection.ask(&refresh(&token)).await?.expect(200)?.json()?;
                let next = body["refresh_token"].as_str();
                next.ok_or_else(|| Broken("an exchange gave no refresh token".to_owned()))?.clone_into(&mut token);
                exchanged.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Ok((place, token))
        });
    }
    while let Some(ended) = clients.join_next().await {
        let (place, token) = ended??;
        sessions[place].refresh = Some(token);
    }
    Ok(exchanged.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}
