//! Decides whether an answer tells that an address has an account, in bytes or in time: forgotten passwords, mails that verify
//! once more, and registrations where addresses are proven first.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::broken::{Broken, Outcome};
use crate::http::{Connection, User, post_json};
use crate::parts::outage::healthy;
use crate::report::{Figure, Goal};
use crate::server::Installation;
use crate::setup::OnPostgres;
use crate::statistics::{PairedRatio, median};

/// So many addresses of either kind are asked for in turn, so that on both sides an earlier secret is superseded.
const ADDRESSES: usize = 64;
/// Before anything counts.
const WARM_UP_PAIRS: usize = 20;
/// After each request. The work that it promised, which is more where there is an account, is done by then: so it does not
/// make the request slow that happens to come next.
const PAUSE: Duration = Duration::from_millis(8);

pub(crate) fn on_sqlite(bench: &Bench) -> Outcome<Vec<Figure>> {
    let installation = Installation::new(&bench.program, "sqlite:accounts.db")?;
    bench.runtime.block_on(measure(bench, &installation, "sqlite"))
}

pub(crate) fn on_postgres(bench: &Bench) -> Outcome<Vec<Figure>> {
    bench.runtime.block_on(async {
        let postgres = OnPostgres::new(&bench.program).await?;
        measure(bench, &postgres.installation, "postgres").await
    })
}

/// What is asked; the address of number `n` has an account or not.
type Ask = fn(usize, Owner) -> Vec<u8>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Somebody,
    Nobody,
}

/// Of the same length, whether or not somebody has it.
fn address(number: usize, owner: Owner) -> String {
    let name = match owner {
        Owner::Somebody => "user",
        Owner::Nobody => "none",
    };
    format!("{name}-{:04}@example.org", number % ADDRESSES)
}

fn forgot(number: usize, owner: Owner) -> Vec<u8> {
    post_json("/api/users/forgot-password", &serde_json::json!({ "email": address(number, owner) }))
}

fn resend(number: usize, owner: Owner) -> Vec<u8> {
    post_json("/api/users/resend-verification", &serde_json::json!({ "email": address(number, owner) }))
}

fn register(number: usize, owner: Owner) -> Vec<u8> {
    let body = serde_json::json!({
        "username": format!("name-{number:04}"),
        "email": address(number, owner),
        "password": "a password like any other",
    });
    post_json("/api/users", &body)
}

async fn measure(bench: &Bench, installation: &Installation, database: &str) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    {
        let (server, _sink, address) = healthy(installation, &[]).await?;
        let mut connection = Connection::open(address).await?;
        for number in 0..ADDRESSES {
            connection.ask(&User(number).registration()).await?.expect(201)?;
        }
        for (name, ask) in [("forgot", forgot as Ask), ("resend", resend)] {
            figures.push(pairs(address, bench.scale.neutral_pairs, ask, &format!("{name}_{database}")).await?);
        }
        drop(connection);
        server.stop().await?;
    }
    let (server, _sink, address) = healthy(installation, &[("REGISTRATION", "verified")]).await?;
    figures.push(pairs(address, bench.scale.neutral_pairs, register, &format!("register_{database}")).await?);
    server.stop().await?;
    Ok(figures)
}

/// One request after the other on one connection; which of the two goes first alternates.
async fn pairs(server: SocketAddr, count: usize, ask: Ask, name: &str) -> Outcome<Figure> {
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
            let answer = answer.expect(202)?;
            let bytes = lasting(answer.head, answer.body);
            if *expected.get_or_insert_with(|| bytes.clone()) != bytes {
                return Err(Broken(format!("{name}: the answers differ: {bytes}")));
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

/// Head and body without what differs from answer to answer.
fn lasting(head: &[u8], body: &[u8]) -> String {
    let head = String::from_utf8_lossy(head).to_lowercase();
    let lines = head.lines().filter(|line| !line.starts_with("date:") && !line.starts_with("x-request-id:"));
    format!("{}\n\n{}", lines.collect::<Vec<_>>().join("\n"), String::from_utf8_lossy(body))
}
