//! Broken and hostile files: the memory and time they cost, and whether each is refused or becomes a picture.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bench_kit::broken::{Outcome, While as _};
use bench_kit::machine::{MIB, Resident};
use bench_kit::report::{Figure, Goal};
use bench_kit::server::Log;
use countersign::testing::pictures;

use crate::Bench;
use crate::photograph::{self, Coding};
use crate::user::User;

const AT_ONCE: usize = 16;

/// The results of the uploads.
#[derive(Default)]
struct Seen {
    statuses: BTreeMap<u16, usize>,
    slowest: Duration,
    slowest_name: String,
    wrong: Vec<String>,
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let good = pictures::good();
    let hostile: Vec<(String, Vec<u8>)> =
        pictures::hostile().into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    let installation = bench.installation()?;
    let server = installation.start(Log::Kept, &[])?;
    let users: Vec<User> = (0..AT_ONCE).map(|number| User::register(server.address, number)).collect::<Outcome<_>>()?;
    // One picture, so that memory counts as idle after the first.
    users[0].upload(&good[0].1)?;
    let idle = Resident::read(server.process())?.now;

    let alone = upload_all(&users[..1], &hostile)?;
    report("hostile, one after another", &alone);
    let photographs: Vec<(String, Vec<u8>)> = [(4_000, 3_000), (8_000, 6_000)]
        .into_iter()
        .flat_map(|size| [Coding::Sequential, Coding::Progressive].map(|coding| (size, coding)))
        .map(|((width, height), coding)| Ok(("photograph".to_owned(), photograph::jpeg(width, height, coding)?)))
        .filter(|photograph: &Outcome<(String, Vec<u8>)>| photograph.as_ref().is_ok_and(|(_, b)| b.len() <= 5_242_880))
        .collect::<Outcome<_>>()?;
    // Each sixteen times, so that sixteen of the same kind meet.
    let many: Vec<(String, Vec<u8>)> =
        hostile.iter().chain(&photographs).flat_map(|file| vec![file.clone(); AT_ONCE]).collect();
    let together = upload_all(&users, &many)?;
    report("hostile and large, 16 at a time", &together);
    drop(many);
    let damaged: Vec<(String, Vec<u8>)> = (0..bench.scale.damaged).map(|seed| pictures::damaged(&good, seed)).collect();
    let broken = upload_all(&users, &damaged)?;
    report("damaged, 16 at a time", &broken);
    let peak = Resident::read(server.process())?.peak;

    let errors = server.log_text();
    if !errors.is_empty() {
        println!("errors logged:\n{errors}");
    }
    let wrong = alone.wrong.len() + together.wrong.len() + broken.wrong.len();
    let files = hostile.len() + AT_ONCE * (hostile.len() + photographs.len()) + damaged.len();
    println!("idle {:.1} MiB, peak {:.1} MiB", idle as f64 / MIB, peak as f64 / MIB);
    Ok(vec![
        Figure::new(
            "hostile_neither_refused_nor_picture",
            wrong as f64,
            Goal::AtMost(0.0),
            format!("of {files} uploads"),
        ),
        Figure::new(
            "hostile_peak_over_idle_mib",
            peak.saturating_sub(idle) as f64 / MIB,
            Goal::AtMost(128.0),
            "resident memory of the whole process, 16 uploads at once",
        ),
        Figure::new(
            "hostile_seconds_max",
            alone.slowest.as_secs_f64(),
            Goal::AtMost(2.0),
            format!("one after another: {}", alone.slowest_name),
        ),
        Figure::new(
            "hostile_seconds_max_16_at_once",
            together.slowest.as_secs_f64(),
            None,
            format!("with waiting for the others: {}", together.slowest_name),
        ),
        Figure::new(
            "damaged_seconds_max_16_at_once",
            broken.slowest.as_secs_f64(),
            Goal::AtMost(2.0),
            format!("with waiting for the others: {}", broken.slowest_name),
        ),
    ])
}

fn report(what: &str, seen: &Seen) {
    println!("{what}: {:?}; slowest {:.3} s ({})", seen.statuses, seen.slowest.as_secs_f64(), seen.slowest_name);
    for wrong in &seen.wrong {
        println!("  WRONG: {wrong}");
    }
}

/// Every user uploads the next file until none is left.
fn upload_all(users: &[User], files: &[(String, Vec<u8>)]) -> Outcome<Seen> {
    let next = AtomicUsize::new(0);
    let seen = Mutex::new(Seen::default());
    let failure = Mutex::new(None);
    thread::scope(|scope| {
        for user in users {
            scope.spawn(|| {
                while let Some((name, bytes)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(broken) = upload_one(user, name, bytes, &seen) {
                        *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(broken);
                        return;
                    }
                }
            });
        }
    });
    match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(broken) => Err(broken),
        None => Ok(seen.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

fn upload_one(user: &User, name: &str, bytes: &[u8], seen: &Mutex<Seen>) -> Outcome<()> {
    let begun = Instant::now();
    let answer = user.upload(bytes).doing(name)?;
    let took = begun.elapsed();
    let wrong = match answer.status {
        400 => None,
        200 => {
            let url = answer.json()?["image_path"].as_str().unwrap_or_default().to_owned();
            let fetched = user.get(&url)?;
            let is_jpeg = fetched.status == 200 && fetched.body.starts_with(&[0xff, 0xd8, 0xff]);
            (!is_jpeg).then(|| format!("{name}: {url} answered {}", fetched.status))
        }
        status => Some(format!("{name}: {status}")),
    };
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    *seen.statuses.entry(answer.status).or_default() += 1;
    seen.wrong.extend(wrong);
    if took > seen.slowest {
        seen.slowest = took;
        name.clone_into(&mut seen.slowest_name);
    }
    Ok(())
}
