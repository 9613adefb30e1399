//! The cost of many users: the time of an operation at several sizes of the database, in turn.

use std::sync::Arc;
use std::time::Instant;

use bench_kit::account::{User, login};
use bench_kit::broken::{Outcome, While as _, broken};
use bench_kit::client::{Connection, get};
use bench_kit::report::{Goal, short};
use bench_kit::server::{Installation, Log, Server};
use bench_kit::settle;
use bench_kit::statistics::quantile;
use bench_kit::usage::Usage;
use rustix::fs::statvfs;
use serde_json::json;

use crate::Bench;
use crate::contestant::Session;
use crate::field::{Entrant, Home, order, postgres};
use crate::fill::{Store, bulk_email};
use crate::findings::Findings;

/// Different users who are requested in turn.
const SAMPLES: u64 = 5000;
const SESSIONS: usize = 64;
/// Users for each post; fewer if that would leave less than a thousand posts.
const POSTS_EVERY: u64 = 10;
/// With a session, a share of the posts, and all indexes, generously.
const BYTES_PER_USER: u64 = 2000;
const RATIO_MAX: f64 = 1.3;

pub(crate) fn measure(bench: &Bench, findings: &mut Findings) -> Outcome<()> {
    let users: u64 = bench.scale.sizes.iter().sum();
    let space = statvfs(std::env::temp_dir().as_path())?;
    let (free, needed) = (space.f_bavail * space.f_frsize, users * BYTES_PER_USER);
    if free < needed {
        let [free, needed] = [free, needed].map(|bytes| short(bytes as f64 / f64::from(1 << 30)));
        return broken(format!("{needed} GiB are needed in the temporary folder (TMPDIR), {free} GiB are free"));
    }
    bench.runtime.block_on(async {
        // One after the other, so that the disk holds one database at a time.
        on(bench, findings, &Home::Sqlite).await?;
        let postgres = postgres()?;
        on(bench, findings, &Home::Postgres(&postgres)).await
    })
}

/// One operation at one size.
struct Operation {
    id: &'static str,
    what: &'static str,
    /// The server of the [`Town`].
    on: On,
    requests: Arc<Vec<Vec<u8>>>,
}

#[derive(Clone, Copy)]
enum On {
    Default,
    WithoutCache,
}

/// A database of one size with its servers.
struct Town {
    size: u64,
    default: Server,
    without_cache: Server,
    operations: Vec<Operation>,
    // After the servers, which use it.
    _installation: Installation,
}

async fn on(bench: &Bench, findings: &mut Findings, home: &Home<'_>) -> Outcome<()> {
    let (name, title) = (home.name(), home.title());
    let mut towns = Vec::new();
    for size in &bench.scale.sizes {
        towns.push(Town::fill(bench, findings, home, *size).await.doing(format!("{size} users on {title}"))?);
    }
    for _ in 0..bench.scale.growth_rounds {
        for place in 0..towns[0].operations.len() {
            let Operation { id, what, .. } = &towns[0].operations[place];
            let (id, what) = (format!("growth-{name}-{id}"), format!("{what} on {title}"));
            let (times, generator) = turn(bench, &towns, place).await.doing(&id)?;
            findings.generator_max = findings.generator_max.max(generator);
            for (Town { size, .. }, times) in towns.iter().zip(&times) {
                let mean = times.iter().sum::<f64>() / times.len() as f64;
                let median = quantile(times, 0.5);
                findings.add(&id, &format!("{what}: median"), "µs", &users(*size), median);
                findings.add(&format!("{id}-mean"), &format!("{what}: mean"), "µs", &users(*size), mean);
                let (median, mean) = (short(median), short(mean));
                println!("  {id} {size} users: median {median} µs, mean {mean} µs, {} requests", times.len());
            }
        }
    }
    for place in 0..towns[0].operations.len() {
        let id = format!("growth-{name}-{}", towns[0].operations[place].id);
        for town in &towns[1..] {
            ratio(findings, &id, towns[0].size, town.size);
        }
    }
    Ok(())
}

/// Sends the requests of one operation to all towns in turn, one at a time, so that a disturbance meets all of them. Returns the
/// times of each town's answers in microseconds, and the generator's share of all cores.
async fn turn(bench: &Bench, towns: &[Town], place: usize) -> Outcome<(Vec<Vec<f64>>, f64)> {
    settle().await;
    let mut connections = Vec::new();
    for town in towns {
        connections.push(Connection::open(town.server(place).address).await?);
    }
    let window = bench.scale.growth_window * towns.len() as u32;
    let mut times = vec![Vec::new(); towns.len()];
    let usage = Usage::now(towns[0].server(place).tree(), None)?;
    let begun = Instant::now();
    let mut number = 0;
    while begun.elapsed() < window {
        // The order changes, because the first finds the caches full of other data.
        for town in order(towns.len(), number) {
            let requests = &towns[town].operations[place].requests;
            let sent = Instant::now();
            connections[town].ask(&requests[number % requests.len()]).await?.expect(200)?;
            times[town].push(sent.elapsed().as_secs_f64() * 1e6);
        }
        number += 1;
    }
    Ok((times, usage.since()?.generator))
}

/// The name of a size.
fn users(size: u64) -> String {
    format!("{} users", short(size as f64))
}

fn ratio(findings: &mut Findings, id: &str, small: u64, large: u64) {
    let Some(measure) = findings.measures.iter().find(|measure| measure.id == id) else { return };
    let (Some(below), Some(above)) = (measure.of(&users(small)), measure.of(&users(large))) else { return };
    let (what, rounds) = (format!("{}: {} over {}", measure.what, users(large), users(small)), above.over(below));
    findings.figure(format!("{id}-{large}"), what, "×", rounds, Some(Goal::AtMost(RATIO_MAX)));
}

impl Town {
    /// The server of an operation.
    fn server(&self, place: usize) -> &Server {
        match self.operations[place].on {
            On::Default => &self.default,
            On::WithoutCache => &self.without_cache,
        }
    }

    async fn fill(bench: &Bench, findings: &mut Findings, home: &Home<'_>, size: u64) -> Outcome<Self> {
        let entrant = Entrant::start(bench, &bench.ours, home)?;
        entrant.register(1).await?;
        let session = entrant.sessions(1, 1).await?.remove(0);
        let mut connection = Connection::open(entrant.server.address).await?;
        let post =
            json!({ "title": "A post like any other", "content": "Nothing happened today, either.\n".repeat(6) });
        connection.ask(&session.post_json("/api/posts", &post)).await?.expect(201)?;
        let installation = entrant.end()?;

        let begun = Instant::now();
        let mut store = Store::open(&installation).await?;
        let posts_every = (size / 1000).clamp(1, POSTS_EVERY);
        store.grow(User(0), size, posts_every).await?;
        let bytes = store.bytes(&installation).await?;
        let some_users = some(size, SAMPLES);
        let ids = store.ids(&some_users).await?;
        // All authors that are requested have a post, at every size.
        let authors: Vec<u64> = some(size / posts_every, SAMPLES).iter().map(|number| number * posts_every).collect();
        let authors = store.ids(&authors).await?;
        store.close().await?;
        let gib = bytes as f64 / f64::from(1 << 30);
        println!("  {size} users on {}: {gib:.2} GiB, filled in {:.0?}", home.title(), begun.elapsed());
        let (database, title) = (home.name(), home.title());
        findings.add(
            &format!("growth-{database}-bytes"),
            &format!("Database on {title} for each user, with a session and a tenth of a post"),
            "bytes",
            &users(size),
            bytes as f64 / size as f64,
        );

        let default = installation.start(Log::Nowhere, &[])?;
        let without_cache = installation.start(Log::Nowhere, &[("SESSION_CACHE", "off")])?;
        let sessions = sessions(bench, &default, size).await.doing("logging in")?;
        let logins = some_users.iter().map(|number| login(&bulk_email(*number), &User(0).password()));
        let me: Arc<Vec<_>> = Arc::new(sessions.iter().map(|session| session.get("/api/users/me")).collect());
        let operation = |id, what, on, requests| Operation { id, what, on, requests };
        let operations = vec![
            operation("login", "A login", On::Default, Arc::new(logins.collect())),
            operation("me", "GET /me", On::Default, Arc::clone(&me)),
            operation("me-uncached", "GET /me with SESSION_CACHE=off", On::WithoutCache, me),
            operation(
                "user",
                "Looking up a user",
                On::Default,
                Arc::new(ids.iter().map(|id| get(&format!("/api/users/{id}"))).collect()),
            ),
            operation("posts", "A page of posts", On::Default, Arc::new(vec![get("/api/posts?limit=10")])),
            operation(
                "author",
                "A page of a user's posts",
                On::Default,
                Arc::new(authors.iter().map(|id| get(&format!("/api/users/{id}/posts?limit=10"))).collect()),
            ),
        ];
        let town = Self { size, default, without_cache, operations, _installation: installation };
        Ok(town)
    }
}

/// Numbers of users, spread over all of them.
fn some(size: u64, count: u64) -> Vec<u64> {
    let count = count.min(size);
    // Knuth's multiplier: it is odd and not a multiple of five, so that no number comes twice for these sizes.
    (0..count).map(|number| number * 2_654_435_761 % size).collect()
}

async fn sessions(bench: &Bench, server: &Server, size: u64) -> Outcome<Vec<Session>> {
    let mut connection = Connection::open(server.address).await?;
    let mut sessions = Vec::new();
    for number in some(size, SESSIONS as u64) {
        let request = login(&bulk_email(number), &User(0).password());
        sessions.push(bench.ours.session(&connection.ask(&request).await?.expect(200)?)?);
    }
    Ok(sessions)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn requested_users_are_all_different_and_exist() {
        for size in [1000, 20_000, 100_000, 10_000_000] {
            let numbers = some(size, SAMPLES);
            assert!(numbers.iter().all(|number| *number < size));
            assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len() as u64, SAMPLES.min(size));
        }
    }
}
