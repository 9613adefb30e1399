//! How long one instance accepts a session that was ended on another.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bench_kit::account::{Tokens, me};
use bench_kit::broken::{Broken, Outcome, While as _, broken};
use bench_kit::client::{Connection, bearer, get_as, request};
use bench_kit::report::{Figure, Goal};
use bench_kit::server::{Installation, Log};
use bench_kit::statistics::quantile;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Bench;
use crate::setup::{self, Database};

const USERS: usize = 10;
/// Clients that end sessions at the same time.
const CLIENTS: usize = 8;
/// Sessions are ended at times spread over this, the interval at which an instance looks for changes.
const SPREAD: Duration = Duration::from_millis(500);
/// A session that is accepted for longer than this after its end counts as accepted for ever.
const REFUSED_MAX: Duration = Duration::from_secs(10);
const GOAL_MS: f64 = 1000.0;
/// The other instance's log line when it cannot look for changes.
const BYPASSED: &str = "the session cache is not used";

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let installation = bench.installation(Database::Postgres)?;
    bench.runtime.block_on(end_sessions(bench, &installation))
}

async fn end_sessions(bench: &Bench, installation: &Installation) -> Outcome<Vec<Figure>> {
    let scale = &bench.scale;
    let mut admin = Admin(PgConnection::connect(installation.get("DATABASE_URL")).await?);
    // The other instance has a database user of its own, whose right to the table of changes can be revoked.
    admin.execute("CREATE ROLE other_instance LOGIN").await?;
    admin.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO other_instance").await?;
    admin.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO other_instance").await?;
    let other_url = installation.get("DATABASE_URL").replacen("postgres@", "other_instance@", 1);
    let one = installation.start(Log::Kept, &[("LOG", "warn")])?;
    let other = installation.start(Log::Kept, &[("LOG", "warn"), ("DATABASE_URL", &other_url)])?;
    let pair = Pair { one: one.address, other: other.address };
    let count = scale.revocations + scale.revocations_same_instance + scale.revocations_broken + 1;
    let mut sessions = setup::sessions(one.address, 0..USERS, count).await?;

    let times = pair.end_many(sessions.split_off(sessions.len() - scale.revocations)).await?;
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| quantile(&times, share));
    println!("  {} ended: median {p50:.0} ms, p99 {p99:.0} ms, max {max:.0} ms", times.len());
    let note = format!("of {}; median {p50:.0}, max {max:.0}", times.len());
    let mut figures = vec![
        Figure::new("revocation_ms_p99", p99, Goal::AtMost(GOAL_MS), note),
        Figure::new("revocation_ms_max", max, None, ""),
    ];

    let same = sessions.split_off(sessions.len() - scale.revocations_same_instance);
    let (times, late) = pair.end_on_the_same(same).await?;
    let (median, slowest) = (quantile(&times, 0.5), quantile(&times, 1.0));
    println!("  {} on the same instance: median {median:.2} ms, max {slowest:.2} ms, {late} later", times.len());
    figures.push(Figure::new(
        "revocation_same_instance_late",
        late as f64,
        Goal::AtMost(0.0),
        "not with the next request",
    ));
    figures.push(Figure::new("revocation_same_instance_ms_max", slowest, None, format!("median {median:.2}")));

    let control = sessions.pop().ok_or_else(|| Broken("there are no sessions".to_owned()))?;
    let times = pair.end_while_blind(&mut admin, sessions, &control).await?;
    let bypassed = other.log_text().matches(BYPASSED).count();
    if bypassed < times.len() {
        return broken(format!("the poll was not broken: {bypassed} warnings in {} tries", times.len()));
    }
    let (median, slowest) = (quantile(&times, 0.5), quantile(&times, 1.0));
    println!("  {} with the poll broken: median {median:.0} ms, max {slowest:.0} ms", times.len());
    let note = format!("of {}; median {median:.0}; no right to read auth_changes", times.len());
    figures.push(Figure::new("revocation_poll_broken_ms_max", slowest, Goal::AtMost(GOAL_MS), note));

    let mut times = Vec::new();
    let mut refused_ends = 0;
    let few = setup::sessions(one.address, USERS..USERS + 1, scale.revocations_broken.min(10)).await?;
    for session in &few {
        let (time, was_ended) = pair.end_without_table(&mut admin, session).await?;
        times.push(time);
        refused_ends += usize::from(!was_ended);
    }
    let (median, slowest) = (quantile(&times, 0.5), quantile(&times, 1.0));
    println!(
        "  {} with auth_changes renamed: median {median:.0} ms, max {slowest:.0} ms; {refused_ends} logouts were not possible, \
         and their sessions were deleted in the database",
        times.len()
    );
    let note = format!("of {}; median {median:.0}; {refused_ends} logouts not possible", times.len());
    figures.push(Figure::new("revocation_table_renamed_ms_max", slowest, Goal::AtMost(GOAL_MS), note));
    for error in one.errors().iter().chain(&other.errors()).take(4) {
        println!("  logged: {error}");
    }
    one.stop()?;
    other.stop()?;
    Ok(figures)
}

/// A connection that changes the database without the servers' knowledge.
struct Admin(PgConnection);

impl Admin {
    async fn execute(&mut self, statement: &str) -> Outcome<()> {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut self.0).await.map(drop).doing(statement)
    }
}

/// The instance where sessions are ended, and the one that has to notice.
#[derive(Clone, Copy)]
struct Pair {
    one: SocketAddr,
    other: SocketAddr,
}

impl Pair {
    /// Milliseconds from the end of each session to its first refusal on the other instance.
    async fn end_many(self, sessions: Vec<Tokens>) -> Outcome<Vec<f64>> {
        let queue = Arc::new(Mutex::new(sessions));
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            let queue = Arc::clone(&queue);
            clients.spawn(async move {
                let mut one = Connection::open(self.one).await?;
                let mut other = Connection::open(self.other).await?;
                let mut times = Vec::new();
                loop {
                    let session = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let Some(session) = session else {
                        return Outcome::Ok(times);
                    };
                    know(&mut one, &session).await?;
                    know(&mut other, &session).await?;
                    sleep(spread(client + CLIENTS * times.len())).await;
                    one.ask(&log_out(&session.access)).await?.expect(204)?;
                    times.push(until_refused(&mut other, &session, Instant::now()).await?.0);
                }
            });
        }
        let mut times = Vec::new();
        while let Some(ended) = clients.join_next().await {
            times.extend(ended??);
        }
        Ok(times)
    }

    /// The same on one instance, and how many sessions were not refused with the very next request.
    async fn end_on_the_same(self, sessions: Vec<Tokens>) -> Outcome<(Vec<f64>, usize)> {
        // Two connections, because the end has to count for both.
        let mut ending = Connection::open(self.one).await?;
        let mut asking = Connection::open(self.one).await?;
        let (mut times, mut late) = (Vec::new(), 0);
        for session in sessions {
            know(&mut asking, &session).await?;
            ending.ask(&log_out(&session.access)).await?.expect(204)?;
            let (time, accepted) = until_refused(&mut asking, &session, Instant::now()).await?;
            times.push(time);
            late += usize::from(accepted > 0);
        }
        Ok((times, late))
    }

    /// Revokes the other instance's right to the table of changes just before each end, and grants it again.
    async fn end_while_blind(self, admin: &mut Admin, sessions: Vec<Tokens>, control: &Tokens) -> Outcome<Vec<f64>> {
        let mut one = Connection::open(self.one).await?;
        let mut other = Connection::open(self.other).await?;
        let mut times = Vec::new();
        for (number, session) in sessions.into_iter().enumerate() {
            know(&mut other, &session).await?;
            sleep(spread(number)).await;
            admin.execute("REVOKE ALL ON auth_changes FROM other_instance").await?;
            one.ask(&log_out(&session.access)).await?.expect(204)?;
            times.push(until_refused(&mut other, &session, Instant::now()).await?.0);
            // The instance notices at its next poll; until then and after it, it has to serve other sessions.
            let begun = Instant::now();
            while begun.elapsed() < 2 * SPREAD {
                other.ask(&me(&control.access)).await?.expect(200).doing("while the poll is broken")?;
                sleep(SPREAD / 10).await;
            }
            admin.execute("GRANT ALL ON auth_changes TO other_instance").await?;
        }
        Ok(times)
    }

    /// Renames the table. If that makes logging out impossible, deletes the session in the database. Returns whether logging out
    /// was possible.
    async fn end_without_table(self, admin: &mut Admin, session: &Tokens) -> Outcome<(f64, bool)> {
        let mut one = Connection::open(self.one).await?;
        let mut other = Connection::open(self.other).await?;
        know(&mut one, session).await?;
        know(&mut other, session).await?;
        let id = own_id(&mut one, session).await?;
        admin.execute("ALTER TABLE auth_changes RENAME TO auth_changes_renamed").await?;
        let was_ended = one.ask(&log_out(&session.access)).await?.status == 204;
        if !was_ended {
            admin.execute(&format!("DELETE FROM auth_sessions WHERE id = '{id}'")).await?;
        }
        let time = until_refused(&mut other, session, Instant::now()).await?.0;
        admin.execute("ALTER TABLE auth_changes_renamed RENAME TO auth_changes").await?;
        Ok((time, was_ended))
    }
}

/// Puts the session into the instance's cache.
async fn know(connection: &mut Connection, session: &Tokens) -> Outcome<()> {
    for _ in 0..2 {
        connection.ask(&me(&session.access)).await?.expect(200).doing("before the end of a session")?;
    }
    Ok(())
}

/// Milliseconds since `ended`, and how often the session was still accepted.
async fn until_refused(connection: &mut Connection, session: &Tokens, ended: Instant) -> Outcome<(f64, usize)> {
    let request = me(&session.access);
    let mut accepted = 0;
    while ended.elapsed() < REFUSED_MAX {
        match connection.ask(&request).await?.status {
            401 => break,
            200 => accepted += 1,
            status => return broken(format!("{status} to a request with an ended session")),
        }
    }
    Ok((ended.elapsed().as_secs_f64() * 1000.0, accepted))
}

async fn own_id(connection: &mut Connection, session: &Tokens) -> Outcome<String> {
    let sessions = connection.ask(&get_as(&session.access, "/api/users/me/sessions")).await?.expect(200)?.json()?;
    let own = sessions["sessions"].as_array().and_then(|all| all.iter().find(|one| one["current"] == true));
    let id = own.and_then(|own| own["id"].as_str());
    id.map(str::to_owned).ok_or_else(|| Broken("a session is not in its own list".to_owned()))
}

fn log_out(token: &str) -> Vec<u8> {
    request("POST /api/users/logout", &[("authorization", &bearer(token))], &[])
}

fn spread(number: usize) -> Duration {
    // Both are prime, so that the steps meet all of the range.
    SPREAD.mul_f64((number * 37 % 101) as f64 / 101.0)
}
