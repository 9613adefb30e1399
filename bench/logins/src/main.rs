//! What is measured in which order, and how much of it. `README.md` beside this says what the figures mean.

mod broken;
mod client;
mod engine;
mod load;
mod machine;
mod parts;
mod report;
mod server;
mod statistics;

use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use hyper::StatusCode;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use broken::{Broken, Outcome, While as _};
use client::{Client, User};
use machine::Description;
use report::Figure;
use server::Installation;

/// Of the full load, and of the line that is abandoned.
const CLIENTS: usize = 64;
/// Registered before anything is measured.
const USERS: usize = 64;
/// The server's default costs.
const HASH_BYTES: u64 = 64 * 1024 * 1024;

/// How much is measured.
struct Scale {
    full_load_rounds: usize,
    engine_window: Duration,
    login_window: Duration,
    wait_seconds_max: u32,
    me_window: Duration,
    disconnect_rounds: usize,
    pairs: usize,
}

/// The server's own default for the longest wait.
const FULL: Scale = Scale {
    full_load_rounds: 7,
    engine_window: Duration::from_secs(2),
    login_window: Duration::from_secs(3),
    wait_seconds_max: 10,
    me_window: Duration::from_secs(30),
    disconnect_rounds: 10,
    pairs: 2000,
};

/// To see that everything works; too little for figures to rely on.
const SHORT: Scale = Scale {
    full_load_rounds: 3,
    engine_window: Duration::from_secs(1),
    login_window: Duration::from_millis(1500),
    wait_seconds_max: 3,
    me_window: Duration::from_secs(5),
    disconnect_rounds: 3,
    pairs: 100,
};

/// What every part needs.
pub(crate) struct Bench {
    installation: Installation,
    runtime: Runtime,
    scale: Scale,
}

struct Part {
    name: &'static str,
    heading: &'static str,
    measure: fn(&Bench) -> Outcome<Vec<Figure>>,
}

const PARTS: [Part; 7] = [
    Part {
        name: "full-load",
        heading: "64 clients log in without pause, and the bare engine in turn",
        measure: parts::full_load::measure,
    },
    Part { name: "crowd", heading: "1,000 logins at once, half of them wrong", measure: parts::crowd::measure },
    Part {
        name: "me",
        heading: "GET /api/users/me at 100/s while 16 clients log in without pause",
        measure: parts::me::measure,
    },
    Part {
        name: "disconnect",
        heading: "64 waiting logins whose clients go away",
        measure: parts::disconnect::measure,
    },
    Part {
        name: "timing",
        heading: "unknown address against wrong password; idle, and while 4 others log in",
        measure: parts::timing::measure,
    },
    Part {
        name: "slowloris",
        heading: "GET /api/users/me while 5,000 connections send a byte of a head now and then",
        measure: parts::slowloris::measure,
    },
    // The last, because it changes the users.
    Part {
        name: "recipes",
        heading: "unknown address against wrong password where hashes are of five recipes; idle, and while 4 others log in",
        measure: parts::timing::measure_recipes,
    },
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Broken(text)) => {
            eprintln!("broken: {text}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let program = arguments.next().map(PathBuf::from);
    let program = program.ok_or_else(|| Broken("which server? Use bench/logins/run, which builds one".to_owned()))?;
    let mut scale = FULL;
    let mut chosen = Vec::new();
    for argument in arguments {
        match PARTS.iter().find(|part| part.name == argument) {
            Some(part) => chosen.push(part),
            None if argument == "--short" => scale = SHORT,
            None => return Err(Broken(format!("{argument} is neither --short nor the name of a part"))),
        }
    }
    if chosen.is_empty() {
        chosen.extend(&PARTS);
    }

    println!("{}", Description::read()?);
    machine::raise_open_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _signals = server::end_together(&runtime)?;
    let bench = Bench { installation: Installation::new(&program)?, runtime, scale };
    register(&bench, &[], 0..USERS).doing("registering users")?;
    let mut figures = Vec::new();
    for part in chosen {
        println!("\n{}: {}", part.name, part.heading);
        figures.extend((part.measure)(&bench).doing(part.name)?);
    }
    report::print(&figures);
    Ok(())
}

/// Over HTTP, as anybody would.
pub(crate) fn register(bench: &Bench, settings: &[(&str, String)], numbers: Range<usize>) -> Outcome<()> {
    let server = bench.installation.start(settings)?;
    bench.runtime.block_on(async {
        let mut clients = JoinSet::new();
        for user in numbers.map(User::numbered) {
            let mut client = Client::connect(server.address).await?;
            clients.spawn(async move { client.send(user.registration()).await?.expect(StatusCode::CREATED).map(drop) });
        }
        while let Some(ended) = clients.join_next().await {
            ended??;
        }
        Outcome::Ok(())
    })?;
    server.stop()
}
