//! Decides whether an answer tells that an address has an account, in bytes or in time: logins, forgotten passwords, mails
//! that verify once more, changes of an address, and registrations where addresses are proven first.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::broken::{Broken, Outcome};
use crate::http::{Connection, Tokens, User, form, post_json};
use crate::parts::outage::healthy;
use crate::report::{Figure, Goal};
use crate::server::Installation;
use crate::setup::OnPostgres;
use crate::statistics::{PairedRatio, median};

/// And so many addresses that nobody has, so that on both sides an earlier mail is superseded.
const USERS: usize = 64;
/// Who asks for another address.
const ASKING: User = User(USERS);
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
type Ask<'a> = &'a dyn Fn(usize, Owner) -> Vec<u8>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Somebody,
    Nobody,
}

/// Of the same length, whether or not somebody has it.
fn address(number: usize, owner: Owner) -> String {
    match owner {
        Owner::Somebody => format!("user-{:04}@example.org", number % USERS),
        Owner::Nobody => format!("none-{:04}@example.org", number % USERS),
    }
}

fn login(number: usize, owner: Owner) -> Vec<u8> {
    let body = format!("username={}&password=not+the+password", address(number, owner).replace('@', "%40"));
    form("/api/users/token", &body)
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

/// By somebody who is logged in.
fn change(access_token: &str, number: usize, owner: Owner) -> Vec<u8> {
    let body = serde_json::json!({ "email": address(number, owner) }).to_string();
    let length = body.len();
    format!(
        "POST /api/users/me/email HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {access_token}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn measure(bench: &Bench, installation: &Installation, database: &str) -> Outcome<Vec<Figure>> {
    let mut figures = Vec::new();
    let count = bench.scale.neutral_pairs;
    {
        // The change of an address needs a recent login, and a run is long.
        let (server, _sink, address) = healthy(installation, &[("REAUTHENTICATION_MINUTES", "1440")]).await?;
        let mut connection = Connection::open(address).await?;
        for number in 0..=USERS {
            connection.ask(&User(number).registration()).await?.expect(201)?;
        }
        let tokens = Tokens::read(&connection.ask(&ASKING.login()).await?.expect(200)?)?;
        let change = |number, owner| change(&tokens.access, number, owner);
        let asked: [(&str, u16, usize, Ask<'_>); 4] = [
            // They cost a hash each.
            ("login", 401, count / 2, &login),
            ("forgot", 202, count, &forgot),
            ("resend", 202, count, &resend),
            ("change", 202, count, &change),
        ];
        for (name, status, count, ask) in asked {
            figures.push(pairs(address, count, status, ask, &format!("{name}_{database}")).await?);
        }
        drop(connection);
        server.stop().await?;
    }
    let (server, _sink, address) = healthy(installation, &[("REGISTRATION", "verified")]).await?;
    figures.push(pairs(address, count, 202, &register, &format!("register_{database}")).await?);
    server.stop().await?;
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
