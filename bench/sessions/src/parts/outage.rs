//! Registrations while the mail server is out of order: three servers in turn, of which one has a mail server that works, one has
//! a mail server that accepts connections and sends nothing, and one has a mail server that drops connections.

use std::time::{Duration, Instant};

use bench_kit::account::User;
use bench_kit::broken::{Outcome, broken};
use bench_kit::client::Connection;
use bench_kit::report::{Figure, Goal};
use bench_kit::server::{Installation, Log, Server};
use bench_kit::statistics::quantile;

use crate::Bench;
use crate::mail_sink::{MailSink, Mood};
use crate::setup::Database;

/// Registrations before anything counts.
const WARM_UP: usize = 10;
/// Mails wait up to six minutes between tries, and a try may take half a minute.
const DELIVERY_MAX: Duration = Duration::from_mins(8);
const POLL: Duration = Duration::from_millis(20);

/// The mail servers, with the names of their figures.
const VARIANTS: [(&str, Mood); 3] = [("healthy", Mood::Taking), ("mute", Mood::Mute), ("dropping", Mood::Dropping)];

pub(crate) fn measure(bench: &Bench, database: Database) -> Outcome<Vec<Figure>> {
    let installations: Vec<_> = VARIANTS.iter().map(|_| bench.installation(database)).collect::<Outcome<_>>()?;
    bench.runtime.block_on(register(bench, &installations, database.name()))
}

/// A server, its mail server, and the times of registrations in milliseconds.
struct Site {
    _server: Server,
    sink: MailSink,
    connection: Connection,
    times: Vec<f64>,
}

/// The settings for a mail server at this port.
fn mail_settings(port: &str) -> [(&'static str, &str); 3] {
    [("MAIL_SERVER", "127.0.0.1"), ("MAIL_TLS", "none"), ("MAIL_PORT", port)]
}

async fn register(bench: &Bench, installations: &[Installation], database: &str) -> Outcome<Vec<Figure>> {
    let mut sites = Vec::new();
    for (installation, (_, mood)) in installations.iter().zip(VARIANTS) {
        let sink = MailSink::start(mood).await?;
        let server = installation.start(Log::Nowhere, &mail_settings(&sink.address.port().to_string()))?;
        let connection = Connection::open(server.address).await?;
        sites.push(Site { _server: server, sink, connection, times: Vec::new() });
    }
    let begun = Instant::now();
    let registrations = WARM_UP + bench.scale.registrations;
    for number in 0..registrations {
        // The order rotates, so that no server always follows the same other one.
        for turn in 0..sites.len() {
            let count = sites.len();
            let site = &mut sites[(number + turn) % count];
            let asked = Instant::now();
            site.connection.ask(&User(number).registration()).await?.expect(201)?;
            if number >= WARM_UP {
                site.times.push(asked.elapsed().as_secs_f64() * 1000.0);
            }
        }
    }
    let outage = begun.elapsed();
    let mut figures = Vec::new();
    for site in &sites[1..] {
        if site.sink.recipients() > 0 {
            return broken("a mail server that was out of order accepted a mail");
        }
    }
    let p99: Vec<f64> = sites.iter().map(|site| quantile(&site.times, 0.99)).collect();
    for (index, (name, _)) in VARIANTS.iter().enumerate() {
        let p50 = quantile(&sites[index].times, 0.5);
        println!(
            "  {database}, {name}: {} registrations, p50 {p50:.2} ms, p99 {:.2} ms",
            sites[index].times.len(),
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

/// A server with a mail server that works.
pub(crate) async fn healthy(
    installation: &Installation,
    settings: &[(&'static str, &str)],
) -> Outcome<(Server, MailSink)> {
    let sink = MailSink::start(Mood::Taking).await?;
    let port = sink.address.port().to_string();
    let settings: Vec<_> = mail_settings(&port).into_iter().chain(settings.iter().copied()).collect();
    Ok((installation.start(Log::Nowhere, &settings)?, sink))
}
