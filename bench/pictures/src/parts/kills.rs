//! Whether a user is ever left with a picture that cannot be had, or the storage with a file that is nobody's.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use crate::Bench;
use crate::broken::{Broken, Outcome};
use crate::client::{User, get};
use crate::pictures::{self, Numbers, quarters};
use crate::report::{Figure, Goal};
use crate::server::Installation;

const USERS: usize = 8;
/// The latest moment of a kill after the uploads began, in milliseconds.
const KILL_WITHIN_MS: usize = 600;
/// How long background work may take to be done in the end.
const WORK_MAX: Duration = Duration::from_secs(30);

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let installation = Installation::new(&bench.program)?;
    let mut server = installation.start()?;
    let users: Vec<User> = (0..USERS)
        .map(|number| User::register(installation.address, &format!("user{number}")))
        .collect::<Outcome<_>>()?;
    let picture = pictures::jpeg(640, 480, &quarters(640, 480), 0);
    let mut numbers = Numbers::seeded(1);
    let (uploaded, cut_off, refused) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let (mut fetched, mut dead, mut unfinished) = (0_usize, 0_usize, 0_usize);
    for _ in 0..bench.scale.kills {
        let is_over = AtomicBool::new(false);
        scope(|scope| -> Outcome<()> {
            for user in &users {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        match user.upload(&picture) {
                            Ok(answer) if answer.status == 200 => drop(uploaded.fetch_add(1, Ordering::Relaxed)),
                            Ok(answer) => {
                                refused.fetch_add(1, Ordering::Relaxed);
                                eprintln!("an upload got {}", answer.status);
                            }
                            // It was under way when the server was killed; a further one would not even connect.
                            Err(_) => {
                                cut_off.fetch_add(1, Ordering::Relaxed);
                                break;
                            }
                        }
                    }
                });
            }
            sleep(Duration::from_millis(numbers.below(KILL_WITHIN_MS) as u64));
            let killed = server.kill();
            is_over.store(true, Ordering::Relaxed);
            killed
        })?;
        unfinished += installation.picture_files()?.iter().filter(|name| name.contains('#')).count();
        server = installation.start()?;
        for user in &users {
            fetched += 1;
            dead += usize::from(!has_picture(user)?);
        }
    }

    // The files of the pictures that were replaced go by jobs, what was cut off by the sweep.
    let referred: BTreeSet<String> =
        users.iter().map(picture_file).collect::<Outcome<Vec<_>>>()?.into_iter().flatten().collect();
    let before_sweep = installation.picture_files()?.len();
    let begun = Instant::now();
    let orphans = loop {
        let swept = installation.run("media sweep --age-minutes 0")?;
        let files: BTreeSet<String> = installation.picture_files()?.into_iter().collect();
        if files == referred || begun.elapsed() > WORK_MAX {
            println!("{}", swept.trim());
            break files.symmetric_difference(&referred).count();
        }
        sleep(Duration::from_millis(100));
    };
    let dead_after_sweep =
        users.iter().map(has_picture).collect::<Outcome<Vec<_>>>()?.iter().filter(|has| !**has).count();
    println!(
        "{} uploads were done and {} cut off; {unfinished} unfinished files lay there after kills, {before_sweep} files before the sweep, {} after",
        uploaded.load(Ordering::Relaxed),
        cut_off.load(Ordering::Relaxed),
        referred.len(),
    );
    let rounds = bench.scale.kills;
    Ok(vec![
        Figure::new(
            "kills_dead_pictures",
            dead as f64,
            Goal::AtMost(0.0),
            format!("of {fetched} looked at, {rounds} kills"),
        ),
        Figure::new("kills_dead_after_sweep", dead_after_sweep as f64, Goal::AtMost(0.0), format!("of {USERS} users")),
        Figure::new(
            "kills_orphans_after_sweep",
            orphans as f64,
            Goal::AtMost(0.0),
            "files that are nobody's, or missing",
        ),
        Figure::new(
            "kills_uploads_cut_off",
            cut_off.load(Ordering::Relaxed) as f64,
            Goal::None,
            "they show that kills hit",
        ),
        Figure::new(
            "kills_uploads_refused",
            refused.load(Ordering::Relaxed) as f64,
            Goal::AtMost(0.0),
            "answered, but not 200",
        ),
    ])
}

/// Whether the URL of the user's picture answers with one.
fn has_picture(user: &User) -> Outcome<bool> {
    let profile = get(user.address, &format!("/api/users/{}", user.id))?.json()?;
    let url = profile["image_path"].as_str().ok_or_else(|| Broken(format!("no profile: {profile}")))?;
    let answer = get(user.address, url)?;
    Ok(answer.status == 200 && answer.body.starts_with(&[0xff, 0xd8, 0xff]) && answer.body.ends_with(&[0xff, 0xd9]))
}

fn picture_file(user: &User) -> Outcome<Option<String>> {
    let profile = get(user.address, &format!("/api/users/{}", user.id))?.json()?;
    Ok(profile["image_file"].as_str().map(str::to_owned))
}
