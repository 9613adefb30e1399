//! Whether the time of an answer tells that an address has no account: a login with an unknown address against one with a wrong
//! password, in pairs; where all hashes are of one recipe, and where they are of several.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

use hyper::{Request, StatusCode};

use crate::broken::Outcome;
use crate::client::{Client, User};
use crate::load::Logins;
use crate::machine::Usage;
use crate::report::{Figure, Goal};
use crate::statistics::{PairedRatio, median};
use crate::{Bench, USERS, register};

const OTHERS: usize = 4;
/// Others than the one who measures, as an attacker's would be.
const OTHERS_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Before anything counts.
const WARM_UP_PAIRS: usize = 8;

/// Hashes of other recipes than the server's, which no password has. Cheap ones, but each costs a good part of a login.
const RECIPES: [&str; 4] = [
    "$argon2id$v=19$m=8192,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
    "$2b$07$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01232",
    "pbkdf2_sha256$30000$saltsaltsalt$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
    "$scrypt$ln=13,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
];

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    measure_with(bench, &[], ["unknown_to_wrong_idle", "unknown_to_wrong_loaded"])
}

/// The same where costs were raised and users were brought along from three other programs.
pub(crate) fn measure_recipes(bench: &Bench) -> Outcome<Vec<Figure>> {
    bench.installation.set_hashes(OTHERS, &RECIPES)?;
    let costs = [("ARGON2_MEMORY_KIB", "19456".to_owned()), ("ARGON2_ITERATIONS", "2".to_owned())];
    register(bench, &costs, 0..OTHERS)?;
    measure_with(bench, &costs, ["unknown_to_wrong_recipes_idle", "unknown_to_wrong_recipes_loaded"])
}

fn measure_with(
    bench: &Bench,
    settings: &[(&str, String)],
    [name_idle, name_loaded]: [&'static str; 2],
) -> Outcome<Vec<Figure>> {
    let server = bench.installation.start(settings)?;
    let idle = bench.runtime.block_on(async {
        let usage = Usage::now(server.process())?;
        let pairs = pairs(server.address, bench.scale.pairs).await?;
        Outcome::Ok(told("idle", name_idle, &pairs, &usage.since()?.to_string()))
    })?;
    let loaded = bench.runtime.block_on(async {
        let load = Logins::start(server.address, OTHERS_ADDRESS, OTHERS).await?;
        let usage = Usage::now(server.process())?;
        let pairs = pairs(server.address, bench.scale.pairs).await?;
        let shares = usage.since()?.to_string();
        load.stop().await?;
        Outcome::Ok(told("loaded", name_loaded, &pairs, &shares))
    })?;
    server.stop()?;
    Ok(vec![idle, loaded])
}

fn told(state: &str, name: &'static str, pairs: &[(f64, f64)], shares: &str) -> Figure {
    let (unknown, wrong): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    let PairedRatio { ratio, from, to } = PairedRatio::of(pairs);
    println!(
        "  {state}: {} pairs, median of unknown {:.3} ms, of wrong {:.3} ms, ratio {ratio:.4} (95 %: {from:.4} to {to:.4}); \
         {shares}",
        pairs.len(),
        median(&unknown),
        median(&wrong),
    );
    Figure {
        name,
        value: ratio,
        goal: Goal::Within(0.98, 1.02),
        note: format!("ratio of medians of {} pairs; 95 % of bootstrap samples {from:.4} to {to:.4}", pairs.len()),
    }
}

/// Milliseconds of (unknown address, wrong password), one request after the other on one connection; which of the two goes
/// first alternates.
async fn pairs(server: SocketAddr, count: usize) -> Outcome<Vec<(f64, f64)>> {
    let mut client = Client::connect(server).await?;
    let mut pairs = Vec::with_capacity(count);
    for number in 0..WARM_UP_PAIRS + count {
        let user = User::numbered(number % USERS);
        let (unknown, wrong);
        if number % 2 == 0 {
            unknown = milliseconds(&mut client, user.login_with_unknown_address()).await?;
            wrong = milliseconds(&mut client, user.login_with_wrong_password()).await?;
        } else {
            wrong = milliseconds(&mut client, user.login_with_wrong_password()).await?;
            unknown = milliseconds(&mut client, user.login_with_unknown_address()).await?;
        }
        if number >= WARM_UP_PAIRS {
            pairs.push((unknown, wrong));
        }
    }
    Ok(pairs)
}

async fn milliseconds(client: &mut Client, request: Request<http_body_util::Full<hyper::body::Bytes>>) -> Outcome<f64> {
    let begun = Instant::now();
    client.send(request).await?.expect(StatusCode::UNAUTHORIZED)?;
    Ok(begun.elapsed().as_secs_f64() * 1000.0)
}
