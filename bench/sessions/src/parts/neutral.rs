//! Whether an answer reveals, in bytes or in time, that an address has an account: logins, forgotten passwords, repeated
//! verification mails, changes of an address, and registrations that verify the address first.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bench_kit::account::{self, Tokens, User};
use bench_kit::broken::{Outcome, broken};
use bench_kit::client::{Answer, Connection, bearer, post_json, request};
use bench_kit::report::{Figure, Goal};
use bench_kit::statistics::{PairedRatio, median};
use serde_json::json;

use crate::Bench;
use crate::parts::outage::healthy;
use crate::setup::Database;

/// The number of users, and of addresses without an account. Each comes again, so on both sides an earlier mail is superseded.
const USERS: usize = 64;
/// The user who asks for another address.
const ASKING: User = User(USERS);
/// Pairs before anything counts.
const WARM_UP_PAIRS: usize = 20;
/// After each request, so that its background work, which is more where there is an account, does not slow the next one down.
const PAUSE: Duration = Duration::from_millis(8);

pub(crate) fn measure(bench: &Bench, database: Database) -> Outcome<Vec<Figure>> {
    bench.runtime.block_on(compare(bench, database))
}

/// Makes a request for address number `n`, which has an account or not.
type Ask<'a> = &'a dyn Fn(usize, Owner) -> Vec<u8>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Somebody,
    Nobody,
}

/// An address; the length does not depend on the owner.
fn address(number: usize, owner: Owner) -> String {
    match owner {
        Owner::Somebody => User(number % USERS).email(),
        Owner::Nobody => User(number % USERS).email().replace("user", "none"),
    }
}

fn login(number: usize, owner: Owner) -> Vec<u8> {
    account::login(&address(number, owner), "not the password")
}

fn forgot(number: usize, owner: Owner) -> Vec<u8> {
    post_json("/api/users/forgot-password", &json!({ "email": address(number, owner) }))
}

fn resend(number: usize, owner: Owner) -> Vec<u8> {
    post_json("/api/users/resend-verification", &json!({ "email": address(number, owner) }))
}

fn register(number: usize, owner: Owner) -> Vec<u8> {
    let body = json!({
        "username": format!("name-{number:04}"),
        "email": address(number, owner),
        "password": "a password like any other",
    });
    post_json("/api/users", &body)
}

/// Asked by a user who is logged in.
fn change(access_token: &str, number: usize, owner: Owner) -> Vec<u8> {
    let body = json!({ "email": address(number, owner) }).to_string();
    let headers = [("authorization", bearer(access_token)), ("content-type", "application/json".to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    request("POST /api/users/me/email", &headers, body.as_bytes())
}

async fn compare(bench: &Bench, database: Database) -> Outcome<Vec<Figure>> {
    let (installation, database) = (&bench.installation(database)?, database.name());
    let mut figures = Vec::new();
    let count = bench.scale.neutral_pairs;
    {
        // The change of an address needs a recent login, and a run is long.
        let (server, _sink) = healthy(installation, &[("REAUTHENTICATION_MINUTES", "1440")]).await?;
        let mut connection = Connection::open(server.address).await?;
        for number in 0..=USERS {
            connection.ask(&User(number).registration()).await?.expect(201)?;
        }
        let tokens = Tokens::read(&connection.ask(&ASKING.login()).await?.expect(200)?)?;
        let change = |number, owner| change(&tokens.access, number, owner);
        let asked: [(&str, u16, usize, Ask<'_>); 4] = [
            // Half as many, because each costs a hash.
            ("login", 401, count / 2, &login),
            ("forgot", 202, count, &forgot),
            ("resend", 202, count, &resend),
            ("change", 202, count, &change),
        ];
        for (name, status, count, ask) in asked {
            figures.push(pairs(server.address, count, status, ask, &format!("{name}_{database}")).await?);
        }
        drop(connection);
        server.stop()?;
    }
    let (server, _sink) = healthy(installation, &[("REGISTRATION", "verified")]).await?;
    figures.push(pairs(server.address, count, 202, &register, &format!("register_{database}")).await?);
    server.stop()?;
    Ok(figures)
}

/// One request after the other on one connection; which of the two goes first alternates.
async fn pairs(server: SocketAddr, count: usize, status: u16, ask: Ask<'_>, name: &str) -> Outcome<Figure> {
    let mut connection = Connection::open(server).await?;
    let mut pairs = Vec::with_capacity(count);
    let mut expected = None;
    for number in 0..WARM_UP_PAIRS + count {
        let mut took = [0.0, 0.0];
        let first = number % 2;
        for turn in [first, 1 - first] {
            let request = ask(number, if turn == 0 { Owner::Somebody } else { Owner::Nobody });
            let asked = Instant::now();
            let answer = connection.ask(&request).await?;
            took[turn] = asked.elapsed().as_secs_f64() * 1000.0;
            let answer = answer.expect(status)?;
            let bytes = lasting(&answer);
            if *expected.get_or_insert_with(|| bytes.clone()) != bytes {
                return broken(format!("{name}: the answers differ: {bytes}"));
            }
            tokio::time::sleep(PAUSE).await;
        }
        if number >= WARM_UP_PAIRS {
            pairs.push((took[0], took[1]));
        }
    }
    let (known, unknown): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    let PairedRatio { ratio, from, to } = PairedRatio::of(&pairs);
    println!(
        "  {name}: {count} pairs, equal but for date and request id; median of known {:.3} ms, of unknown {:.3} ms, ratio \
         {ratio:.4} (95 %: {from:.4} to {to:.4})",
        median(&known),
        median(&unknown),
    );
    let note = format!("known to unknown, medians of {count} pairs; 95 % of bootstrap samples {from:.4} to {to:.4}");
    Ok(Figure::new(format!("known_to_unknown_{name}"), ratio, Goal::Within(0.97, 1.03), note))
}

/// Head and body without the headers that differ in every answer.
fn lasting(answer: &Answer<'_>) -> String {
    let head = answer.head().to_lowercase();
    let lines = head.lines().filter(|line| !line.starts_with("date:") && !line.starts_with("x-request-id:"));
    format!("{}\n\n{}", lines.collect::<Vec<_>>().join("\n"), answer.text())
}
