//! Decides whether anybody who registers notices that the mail server is gone: three servers, one with a mail server that
//! works, one whose mail server accepts connections and says nothing, one whose mail server drops what comes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::broken::{Broken, Outcome};
use crate::http::{Connection, User};
use crate::mail_sink::{MailSink, Mood};
use crate::report::{Figure, Goal};
use crate::server::{Installation, Log, Server};
use crate::setup::OnPostgres;
use crate::statistics::quantile;

/// Before anything counts.
const WARM_UP: usize = 10;
/// Mails wait for up to six minutes between tries, and a try may take half a minute.
const DELIVERY_MAX: Duration = Duration::from_mins(8);
const POLL: Duration = Duration::from_millis(20);

/// What is compared, and what its figures are called.
const VARIANTS: [(&str, Mood); 3] = [("healthy", Mood::Taking), ("mute", Mood::Mute), ("dropping", Mood::Dropping)];

pub(crate) fn on_sqlite(bench: &Bench) -> Outcome<Vec<Figure>> {
    let installations: Outcome<Vec<_>> =
        VARIANTS.iter().map(|_| Installation::new(&bench.program, "sqlite:accounts.db")).collect();
    bench.runtime.block_on(measure(bench, &installations?.iter().collect::<Vec<_>>(), "sqlite"))
}

pub(crate) fn on_postgres(bench: &Bench) -> Outcome<Vec<Figure>> {
    bench.runtime.block_on(async {
        let mut postgres = Vec::new();
        for _ in VARIANTS {
            postgres.push(OnPostgres::new(&bench.program).await?);
        }
        let installations: Vec<_> = postgres.iter().map(|one| &one.installation).collect();
        measure(bench, &installations, "postgres").await
    })
}

/// A server, its mail server, and how long registrations took there, in milliseconds.
struct Site {
    _server: Server,
    sink: MailSink,
    connection: Connection,
    took: Vec<f64>,
}

/// The settings that lead to this mail server.
pub(crate) fn mail_settings(port: &str) -> [(&'static str, &str); 3] {
    [("MAIL_SERVER", "127.0.0.1"), ("MAIL_TLS", "none"), ("MAIL_PORT", port)]
}

async fn measure(bench: &Bench, installations: &[&Installation], database: &str) -> Outcome<Vec<Figure>> {
    let mut sites = Vec::new();
    for (installation, (_, mood)) in installations.iter().zip(VARIANTS) {
        let sink = MailSink::start(mood).await?;
        let server = installation.start(Log::Nowhere, &mail_settings(&sink.address.port().to_string())).await?;
        let connection = Connection::open(server.address).await?;
        sites.push(Site { _server: server, sink, connection, took: Vec::new() });
    }
    let begun = Instant::now();
    let registrations = WARM_UP + bench.scale.registrations;
    for number in 0..registrations {
        // Who goes first changes, so that none is always the one after the same other.
        for turn in 0..sites.len() {
            let count = sites.len();
            let site = &mut sites[(number + turn) % count];
            let asked = Instant::now();
            site.connection.ask(&User(number).registration()).await?.expect(201)?;
            if number >= WARM_UP {
                site.took.push(asked.elapsed().as_secs_f64() * 1000.0);
            }
        }
    }
    let outage = begun.elapsed();
    let mut figures = Vec::new();
    for site in &sites[1..] {
        if site.sink.recipients() > 0 {
            return Err(Broken("a mail server that was gone has taken a mail".to_owned()));
        }
    }
    let p99: Vec<f64> = sites.iter().map(|site| quantile(&site.took, 0.99)).collect();
    for (index, (name, _)) in VARIANTS.iter().enumerate() {
        let p50 = quantile(&sites[index].took, 0.5);
        println!(
            "  {database}, {name}: {} registrations, p50 {p50:.2} ms, p99 {:.2} ms",
            sites[index].took.len(),
            p99[index]
        );
        if index > 0 {
            let note = format!("p99 {:.2} ms over {:.2} ms, in turn", p99[index], p99[0]);
            let name = format!("register_p99_{name}_to_healthy_{database}");
            figures.push(Figure::new(name, p99[index] / p99[0], Goal::AtMost(1.2), note));
        }
    }
    let back = Instant::now();
    for site in &mut sites {
        site.sink.come_back();
    }
    for (site, (name, _)) in sites.iter().zip(VARIANTS) {
        while site.sink.recipients() < registrations && back.elapsed() < DELIVERY_MAX {
            tokio::time::sleep(POLL).await;
        }
        let (delivered, seconds) = (site.sink.recipients(), back.elapsed().as_secs_f64());
        println!("  {database}, {name}: {delivered} of {registrations} mails {seconds:.1} s after the return");
        let note = format!("of {registrations} mails, {seconds:.1} s after {:.0} s of outage", outage.as_secs_f64());
        let undelivered = (registrations - delivered) as f64;
        figures.push(Figure::new(format!("undelivered_{name}_{database}"), undelivered, Goal::AtMost(0.0), note));
    }
    Ok(figures)
}

/// For parts that need a server with a mail server that works.
pub(crate) async fn healthy(
    installation: &Installation,
    settings: &[(&'static str, &str)],
) -> Outcome<(Server, MailSink, SocketAddr)> {
    let sink = MailSink::start(Mood::Taking).await?;
    let port = sink.address.port().to_string();
    let settings: Vec<_> = mail_settings(&port).into_iter().chain(settings.iter().copied()).collect();
    let server = installation.start(Log::Nowhere, &settings).await?;
    let address = server.address;
    Ok((server, sink, address))
}
