//! How long a request for one's account takes while others log in without pause, in an open loop.

use std::sync::Arc;
use std::time::Duration;

use bench_kit::account::User;
use bench_kit::broken::{Outcome, While as _};
use bench_kit::open_loop::{Schedule, ask};
use bench_kit::report::{Goal, short};
use bench_kit::settle;

use crate::Bench;
use crate::contestant::OURS;
use crate::field::{Entrant, Home, entrants, or_left_out, order};
use crate::findings::Findings;
use crate::load::{self, Plan};
use crate::parts::logins::leave;

const LOGIN_CLIENTS: usize = 16;
const PER_SECOND: u32 = 100;
const GRACE: Duration = Duration::from_secs(10);
/// Before the first request is due, so that the queue of logins has its length.
const HEAD_START: Duration = Duration::from_secs(1);
const P99_MS_MAX: f64 = 15.0;

pub(crate) fn measure(bench: &Bench, findings: &mut Findings) -> Outcome<()> {
    bench.runtime.block_on(async {
        let mut field = entrants(bench, findings, &Home::Sqlite, LOGIN_CLIENTS).await?;
        for round in 0..bench.scale.rounds {
            let mut left_out = Vec::new();
            for place in order(field.len(), round) {
                let entrant = &field[place];
                settle().await;
                let done = storm(bench, findings, entrant).await.doing(entrant.name());
                if or_left_out(findings, entrant.contestant, done)?.is_none() {
                    left_out.push(place);
                }
            }
            leave(&mut field, left_out);
        }
        Outcome::Ok(())
    })?;
    let ours = findings.measures.iter().find(|measure| measure.id == "storm-p99");
    if let Some(rounds) = ours.and_then(|measure| measure.of(OURS)).cloned() {
        let what = format!("GET /me at {PER_SECOND}/s while {LOGIN_CLIENTS} log in: p99, absolute");
        findings.figure("storm-p99-blog".to_owned(), what, "ms", rounds, Some(Goal::AtMost(P99_MS_MAX)));
    }
    findings.ratios("storm-logins", &[]);
    Ok(())
}

async fn storm(bench: &Bench, findings: &mut Findings, entrant: &Entrant<'_>) -> Outcome<()> {
    let (contestant, server) = (entrant.contestant, &entrant.server);
    let session = entrant.sessions(1, 1).await?.remove(0);
    let request = Arc::new(session.get(contestant.me()));
    let logins = Arc::new((0..LOGIN_CLIENTS).map(|number| contestant.login(User(number))).collect());
    let schedule = Schedule { per_second: PER_SECOND, window: bench.scale.storm_window, grace: GRACE };
    let plan = Plan {
        clients: LOGIN_CLIENTS,
        window: HEAD_START + schedule.window,
        deadline: HEAD_START + schedule.window + Duration::from_mins(1),
        status: 200,
    };
    let asking = async {
        tokio::time::sleep(HEAD_START).await;
        ask(server.address, &request, schedule).await
    };
    let (load, times) = tokio::join!(load::run(server, plan, &logins), asking);
    let (load, times) = (load?.whole()?, times?);
    let name = entrant.name();
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| times.quantile(share));
    for (word, value) in [("p50", p50), ("p99", p99), ("max", max)] {
        let what = format!("GET /me at {PER_SECOND}/s while {LOGIN_CLIENTS} log in: {word}");
        findings.add(&format!("storm-{word}"), &what, "ms", name, value);
    }
    findings.add(
        "storm-logins",
        &format!("Logins meanwhile, {LOGIN_CLIENTS} at a time"),
        "logins/s",
        name,
        load.rate(),
    );
    findings.add(
        "storm-unanswered",
        "Requests without an answer ten seconds after the last",
        "",
        name,
        times.unanswered as f64,
    );
    let spent = findings.spent(load.spent);
    println!(
        "  storm {name}: p50 {} ms, p99 {} ms, max {} ms, {} unanswered and {} failed of {}; sent up to {} ms late (p99); {} logins/s; {spent}",
        short(p50),
        short(p99),
        short(max),
        times.unanswered,
        times.failed,
        schedule.total(),
        short(times.sent_late()),
        short(load.rate()),
    );
    if times.failed > 0 {
        findings.note(format!(
            "{name} answered {} requests of a storm with an error; they count up to the end of the wait",
            times.failed
        ));
    }
    Ok(())
}
