//! Whether the time of an answer reveals that an address has no account: pairs of a login with an unknown address and one with
//! a wrong password, where all hashes have the same algorithm and costs, and where they differ.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use bench_kit::account::{User, login};
use bench_kit::broken::Outcome;
use bench_kit::client::Connection;
use bench_kit::report::{Figure, Goal};
use bench_kit::statistics::{PairedRatio, median};

use crate::load::Logins;
use crate::parts::wrong_password;
use crate::{Bench, USERS};

const OTHERS: usize = 4;
/// Another address than that of the client who measures, as an attacker would have.
const OTHERS_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Pairs before anything counts.
const WARM_UP_PAIRS: usize = 8;

/// Hashes with other algorithms and costs than the server's, which no password has. They are cheap, but each takes a large part
/// of a login.
const RECIPES: [&str; 4] = [
    "$argon2id$v=19$m=8192,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
    "$2b$07$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01232",
    "pbkdf2_sha256$30000$saltsaltsalt$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
    "$scrypt$ln=13,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
];

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    measure_with(bench, &[], ["unknown_to_wrong_idle", "unknown_to_wrong_loaded"])
}

/// The same where the costs were raised and users were imported from three other programs.
pub(crate) fn measure_recipes(bench: &Bench) -> Outcome<Vec<Figure>> {
    bench.set_hashes(OTHERS, &RECIPES)?;
    let costs = [("ARGON2_MEMORY_KIB", "19456"), ("ARGON2_ITERATIONS", "2")];
    bench.register(&costs, 0..OTHERS)?;
    measure_with(bench, &costs, ["unknown_to_wrong_recipes_idle", "unknown_to_wrong_recipes_loaded"])
}

fn measure_with(
    bench: &Bench,
    settings: &[(&str, &str)],
    [name_idle, name_loaded]: [&'static str; 2],
) -> Outcome<Vec<Figure>> {
    let server = bench.start(settings)?;
    let idle = bench.runtime.block_on(async {
        let usage = server.usage()?;
        let pairs = pairs(server.address, bench.scale.pairs).await?;
        Outcome::Ok(figure("idle", name_idle, &pairs, &usage.since()?.to_string()))
    })?;
    let loaded = bench.runtime.block_on(async {
        let load = Logins::start(server.address, OTHERS_ADDRESS, OTHERS).await?;
        let usage = server.usage()?;
        let pairs = pairs(server.address, bench.scale.pairs).await?;
        let shares = usage.since()?.to_string();
        load.stop().await?;
        Outcome::Ok(figure("loaded", name_loaded, &pairs, &shares))
    })?;
    server.stop()?;
    Ok(vec![idle, loaded])
}

fn figure(state: &str, name: &'static str, pairs: &[(f64, f64)], shares: &str) -> Figure {
    let (unknown, wrong): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    let PairedRatio { ratio, from, to } = PairedRatio::of(pairs);
    println!(
        "  {state}: {} pairs, median of unknown {:.3} ms, of wrong {:.3} ms, ratio {ratio:.4} (95 %: {from:.4} to {to:.4}); \
         {shares}",
        pairs.len(),
        median(&unknown),
        median(&wrong),
    );
    let note = format!("ratio of medians of {} pairs; 95 % of bootstrap samples {from:.4} to {to:.4}", pairs.len());
    Figure::new(name, ratio, Goal::Within(0.98, 1.02), note)
}

/// Milliseconds of (unknown address, wrong password), one request after the other on one connection, in alternating order.
async fn pairs(server: SocketAddr, count: usize) -> Outcome<Vec<(f64, f64)>> {
    let mut client = Connection::open(server).await?;
    let mut pairs = Vec::with_capacity(count);
    for number in 0..WARM_UP_PAIRS + count {
        let user = User(number % USERS);
        let (unknown, wrong);
        if number % 2 == 0 {
            unknown = milliseconds(&mut client, &unknown_address(user)).await?;
            wrong = milliseconds(&mut client, &wrong_password(user)).await?;
        } else {
            wrong = milliseconds(&mut client, &wrong_password(user)).await?;
            unknown = milliseconds(&mut client, &unknown_address(user)).await?;
        }
        if number >= WARM_UP_PAIRS {
            pairs.push((unknown, wrong));
        }
    }
    Ok(pairs)
}

/// A login with an address of the same length that has no account.
fn unknown_address(user: User) -> Vec<u8> {
    login(&user.email().replace("user", "none"), &user.password())
}

async fn milliseconds(client: &mut Connection, request: &[u8]) -> Outcome<f64> {
    let begun = Instant::now();
    client.ask(request).await?.expect(401)?;
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}
