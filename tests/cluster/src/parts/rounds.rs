//! Repeated kills of the program under load, and of the PostgreSQL server: whether anything acknowledged is lost or the
//! database is damaged.

use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use countersign_db::{Db, PoolPolicy};
use tokio::time::sleep;

use crate::Rig;
use crate::broken::Outcome;
use crate::client::Target;
use crate::instance::Installation;
use crate::ledger::Ledger;
use crate::load::{AfterFailure, Load};
use crate::nginx::free_address;
use crate::postgres::Postgres;
use crate::promises;
use crate::report::{Figure, Goal};

/// Lifetime of a program after its first response.
const LIFE_MILLISECONDS: std::ops::Range<u64> = 100..1_500;
/// In every fourth round PostgreSQL is killed, before the program.
const DATABASE_EVERY: usize = 4;

/// The database.
pub(super) enum Store {
    Sqlite(PathBuf),
    Postgres(Box<Postgres>),
}

pub(crate) async fn on_sqlite(rig: &Rig) -> Outcome<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("blog.db");
    let installation = Installation::new(&rig.program, &format!("sqlite:{}", file.display()))?;
    run(rig, installation, Store::Sqlite(file), ["rounds_sqlite_kills", "rounds_sqlite_lost", "rounds_sqlite_damaged"])
        .await
}

pub(crate) async fn on_postgres(rig: &Rig) -> Outcome<Vec<Figure>> {
    let postgres = Postgres::start()?;
    let installation = Installation::new(&rig.program, &Postgres::url(postgres.address))?;
    let names = ["rounds_postgres_kills", "rounds_postgres_lost", "rounds_postgres_damaged"];
    run(rig, installation, Store::Postgres(Box::new(postgres)), names).await
}

async fn run(
    rig: &Rig,
    installation: Installation,
    mut store: Store,
    names: [&'static str; 3],
) -> Outcome<Vec<Figure>> {
    let address: SocketAddr = free_address();
    let target = Target::plain(address);
    let users = Arc::new(AtomicUsize::new(0));
    let mut all = Ledger::default();
    let (mut lost, mut damaged, mut database_kills) = (Vec::new(), Vec::new(), 0);
    let mut program = installation.start(&rig.program, address).await?;
    for round in 0..rig.scale.rounds {
        let load = Load::begin(&target, rig.scale.clients, &users, AfterFailure::GiveUp);
        sleep(Duration::from_millis(random(LIFE_MILLISECONDS))).await;
        if let Store::Postgres(postgres) = &mut store
            && round % DATABASE_EVERY == DATABASE_EVERY - 1
        {
            postgres.kill()?;
            database_kills += 1;
        }
        program.kill()?;
        let ledger = load.end().await;
        if let Store::Postgres(postgres) = &mut store {
            postgres.begin_if_killed()?;
        }
        if let Err(damage) = whole(&store).await {
            damaged.push(format!("round {round}: {damage}"));
        }
        program = installation.start(&rig.program, address).await?;
        lost.extend(promises::broken(&target, &ledger).await?.into_iter().map(|what| format!("round {round}: {what}")));
        all.add(ledger);
    }
    // Later rounds must not have undone earlier ones.
    let in_the_end = promises::broken(&target, &all).await?;
    lost.extend(in_the_end.into_iter().map(|what| format!("in the end: {what}")));
    println!("{}", all.summary());
    let kills = format!("of the program, and {database_kills} of PostgreSQL");
    Ok(vec![
        Figure::new(names[0], rig.scale.rounds as f64, Goal::None, kills),
        Figure::new(names[1], lost.len() as f64, Goal::AtMost(0.0), lost.join("; ")),
        Figure::new(names[2], damaged.len() as f64, Goal::AtMost(0.0), damaged.join("; ")),
    ])
}

/// Checks the whole database for damage.
pub(super) async fn whole(store: &Store) -> Outcome<()> {
    match store {
        Store::Sqlite(file) => {
            let url = format!("sqlite:{}", file.display()).parse()?;
            let db = Db::connect(&url, &PoolPolicy::default()).await?;
            let verdict = db.check_whole().await;
            db.close().await;
            Ok(verdict?)
        }
        Store::Postgres(postgres) => postgres.check_whole(),
    }
}

/// A random number, different in each run.
pub(super) fn random(range: std::ops::Range<u64>) -> u64 {
    range.start + RandomState::new().hash_one(range.start) % (range.end - range.start)
}
