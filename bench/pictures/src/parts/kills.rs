//! Kills during uploads: whether a user is left with a picture that is gone, or the storage with a file without a user.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use bench_kit::broken::{Broken, Outcome};
use bench_kit::report::{Figure, Goal};
use bench_kit::server::{Installation, Log};
use countersign::testing::pictures::{self, Numbers, quarters};

use crate::user::User;
use crate::{Bench, picture_files};

const USERS: usize = 8;
/// The latest moment of a kill after the uploads began, in milliseconds.
const KILL_WITHIN_MS: usize = 600;
/// Background work has to be done within this.
const WORK_MAX: Duration = Duration::from_secs(30);

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let installation = bench.installation()?;
    let mut server = installation.start(Log::Kept, &[])?;
    // The same after every restart, so that users can go on.
    let port = server.address.port();
    let users: Vec<User> = (0..USERS).map(|number| User::register(server.address, number)).collect::<Outcome<_>>()?;
    let picture = pictures::jpeg(640, 480, &quarters(640, 480), 0);
    let mut numbers = Numbers::seeded(1);
    let counts = Counts::default();
    let (mut fetched, mut dead, mut unfinished) = (0_usize, 0_usize, 0_usize);
    for _ in 0..bench.scale.kills {
        let is_over = AtomicBool::new(false);
        scope(|scope| {
            for user in &users {
                scope.spawn(|| counts.upload(user, &picture, &is_over));
            }
            sleep(Duration::from_millis(numbers.below(KILL_WITHIN_MS) as u64));
            // Killed, as by a power cut.
            drop(server);
            is_over.store(true, Ordering::Relaxed);
        });
        unfinished += picture_files(&installation)?.iter().filter(|name| name.contains('#')).count();
        server = installation.start_at(port, Log::Kept, &[])?;
        for user in &users {
            fetched += 1;
            dead += usize::from(!has_picture(user)?);
        }
    }

    let referred: BTreeSet<String> =
        users.iter().map(picture_file).collect::<Outcome<Vec<_>>>()?.into_iter().flatten().collect();
    let before_sweep = picture_files(&installation)?.len();
    let orphans = sweep(&installation, &referred)?;
    let dead_after_sweep =
        users.iter().map(has_picture).collect::<Outcome<Vec<_>>>()?.iter().filter(|has| !**has).count();
    let [uploaded, cut_off, refused] =
        [&counts.uploaded, &counts.cut_off, &counts.refused].map(|count| count.load(Ordering::Relaxed));
    println!(
        "{uploaded} uploads were done and {cut_off} cut off; {unfinished} unfinished files were left by kills, {before_sweep} files before the sweep, {} after",
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
        Figure::new("kills_orphans_after_sweep", orphans as f64, Goal::AtMost(0.0), "files without a user, or missing"),
        Figure::new("kills_uploads_cut_off", cut_off as f64, None, "they show that kills hit"),
        Figure::new("kills_uploads_refused", refused as f64, Goal::AtMost(0.0), "answered, but not 200"),
    ])
}

/// What became of all uploads.
#[derive(Default)]
struct Counts {
    uploaded: AtomicUsize,
    cut_off: AtomicUsize,
    refused: AtomicUsize,
}

impl Counts {
    /// Uploads the picture repeatedly until the server is killed.
    fn upload(&self, user: &User, picture: &[u8], is_over: &AtomicBool) {
        while !is_over.load(Ordering::Relaxed) {
            match user.upload(picture) {
                Ok(answer) if answer.status == 200 => drop(self.uploaded.fetch_add(1, Ordering::Relaxed)),
                Ok(answer) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    eprintln!("an upload got {}", answer.status);
                }
                // It was under way when the server was killed; the next one could not connect.
                Err(_) => {
                    self.cut_off.fetch_add(1, Ordering::Relaxed);
                    return;
                }
            }
        }
    }
}

/// Waits until jobs have removed the files of replaced pictures and the sweep those of uploads that were cut off. Returns the
/// number of files that are missing or left over.
fn sweep(installation: &Installation, referred: &BTreeSet<String>) -> Outcome<usize> {
    let begun = Instant::now();
    loop {
        let swept = installation.run("media sweep --age-minutes 0")?;
        let files: BTreeSet<String> = picture_files(installation)?.into_iter().collect();
        if files == *referred || begun.elapsed() > WORK_MAX {
            println!("{}", swept.trim());
            return Ok(files.symmetric_difference(referred).count());
        }
        sleep(Duration::from_millis(100));
    }
}

/// Whether the URL of the user's picture answers with a whole one.
fn has_picture(user: &User) -> Outcome<bool> {
    let profile = user.profile()?;
    let url = profile["image_path"].as_str().ok_or_else(|| Broken(format!("no profile: {profile}")))?;
    let answer = user.get(url)?;
    Ok(answer.status == 200 && answer.body.starts_with(&[0xff, 0xd8, 0xff]) && answer.body.ends_with(&[0xff, 0xd9]))
}

fn picture_file(user: &User) -> Outcome<Option<String>> {
    Ok(user.profile()?["image_file"].as_str().map(str::to_owned))
}
