//! Decides what an authenticated request costs: the rate of `GET /me` over that of a bare axum handler and of the peers; and what
//! it costs to ask about a token and to exchange one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Bench;
use crate::broken::{Broken, Outcome, While as _};
use crate::contestant::Session;
use crate::field::{Entrant, Home, entrants, or_left_out, order};
use crate::findings::Findings;
use crate::http::{Connection, refresh};
use crate::load::{self, Load, Plan};
use crate::postgres::Cluster;
use crate::rounds::short;
use crate::server::{Bare, Server, settle};

pub(crate) const BARE: &str = "bare axum";
pub(crate) const CLIENTS: usize = 32;
const USERS: usize = 8;
const SESSIONS: usize = 64;
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
const GOALS: [(&str, f64); 3] = [(BARE, 0.7), ("fastapi", 40.0), ("better-auth", 40.0)];

pub(crate) fn measure(bench: &Bench, findings: &mut Findings) -> Outcome<()> {
    let cluster = Cluster::start()?;
    bench.runtime.block_on(async {
        for home in [Home::Sqlite, Home::Postgres(&cluster)] {
            on(bench, findings, &home).await?;
        }
        Ok(())
    })
}

/// Somebody who is asked the same again and again.
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
        let Some(sessions) = or_left_out(findings, entrant.contestant(), sessions)? else { continue };
        let path = entrant.contestant().me();
        let requests = Arc::new(sessions.iter().map(|session| session.get(path)).collect::<Vec<_>>());
        if entrant.is_ours() {
            let secret = &entrant.installation.introspection_secret;
            let requests = Arc::new(sessions.iter().map(|session| introspection(session, secret)).collect());
            verify.push(Asked { name: entrant.name().to_owned(), server: &entrant.server, requests });
            own = sessions;
        }
        me.push(Asked { name: entrant.name().to_owned(), server: &entrant.server, requests });
    }
    let ours = field.iter().find(|entrant| entrant.is_ours()).ok_or_else(|| Broken("ours is missing".to_owned()))?;
    let (bare_me, bare_verify) = (bare(bench, &me[0]).await?, bare(bench, &verify[0]).await?);
    for (asked, bare) in [(&mut me, &bare_me), (&mut verify, &bare_verify)] {
        let requests = Arc::clone(&asked[0].requests);
        asked.insert(1, Asked { name: BARE.to_owned(), server: &bare.0, requests });
    }
    let (name, title) = (home.name(), home.title());
    let read = [
        (format!("me-{name}"), format!("GET /me on {title}, {CLIENTS} at a time"), me),
        (format!("verify-{name}"), format!("Asking about an access token (introspection) on {title}"), verify),
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

/// One that gives the same bytes as the first answer to these.
pub(crate) async fn bare(bench: &Bench, asked: &Asked<'_>) -> Outcome<Bare> {
    let mut connection = Connection::open(asked.server.address).await?;
    let request = &asked.requests[0];
    let line = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    let path = line.split(' ').nth(1).unwrap_or_default();
    Bare::start(&bench.bare, path, &connection.ask(request).await?.expect(200)?)
}

/// Everybody a few times, in orders that change; what counts is the whole, because in a turn as short as these somebody else on the
/// machine decides who is fast.
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
    let body = format!("token={}", session.token());
    let length = body.len();
    format!(
        "POST /api/users/token/introspect HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {secret}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Every client exchanges its refresh token, then the one that it got for it, and so on. Exchanges a second.
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
