//! How many photographs a core makes into profile pictures, by the server with everything around it, and by Pillow alone.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::Bench;
use crate::broken::{Broken, Outcome};
use crate::client::User;
use crate::machine::cpu_in_ticks;
use crate::peer::Peer;
use crate::photograph::{self, Coding};
use crate::report::{Figure, Goal};
use crate::server::Installation;

struct Round {
    ours: f64,
    plain: f64,
    draft: f64,
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let installation = Installation::new(&bench.program)?;
    let server = installation.start()?;
    let user = User::register(installation.address, "ada")?;
    let mut peer = Peer::start(bench)?;
    println!("{}", peer.version);
    let folder = tempfile::tempdir()?;
    let mut figures = Vec::new();
    for (name, coding) in [("", Coding::Sequential), ("_progressive", Coding::Progressive)] {
        let photograph = photograph::jpeg(4_000, 3_000, coding)?;
        let path = folder.path().join("photograph.jpg");
        fs::write(&path, &photograph)?;
        let cpu = || cpu_in_ticks(&PathBuf::from(format!("/proc/{}/stat", server.process())));
        let mut rounds = Vec::new();
        let mut wall = Duration::ZERO;
        for _ in 0..bench.scale.rounds {
            let count = bench.scale.uploads_a_round;
            let (before, begun) = (cpu()?, Instant::now());
            for _ in 0..count {
                let answer = user.upload(&photograph)?;
                if answer.status != 200 {
                    return Err(Broken(format!("an upload got {}", answer.status)));
                }
            }
            wall += begun.elapsed();
            let ours = (cpu()? - before).as_secs_f64() / count as f64;
            let mut pillow = |way| -> Outcome<f64> {
                let mut spent = Duration::ZERO;
                for _ in 0..count {
                    spent += peer.make(way, 300, &path)?.cpu;
                }
                Ok(spent.as_secs_f64() / count as f64)
            };
            rounds.push(Round { ours, plain: pillow("plain")?, draft: pillow("draft")? });
        }
        let median = |of: &dyn Fn(&Round) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let uploads = rounds.len() * bench.scale.uploads_a_round;
        println!(
            "{} bytes{name}: ours {:.1} ms of processor time an upload, Pillow {:.1} ms, Pillow with draft() {:.1} ms",
            photograph.len(),
            1e3 * median(&|round| round.ours),
            1e3 * median(&|round| round.plain),
            1e3 * median(&|round| round.draft),
        );
        let goal = if coding == Coding::Sequential { Goal::AtLeast(2.0) } else { Goal::None };
        let note = format!("median of {} rounds: processor time of Pillow over the server's", rounds.len());
        figures.push(Figure::new(format!("ratio_to_pillow{name}"), median(&|r| r.plain / r.ours), goal, &note));
        figures.push(Figure::new(
            format!("ratio_to_pillow_draft{name}"),
            median(&|r| r.draft / r.ours),
            Goal::None,
            "the same, Pillow told to decode at a smaller scale, which the tutorial does not",
        ));
        figures.push(Figure::new(
            format!("uploads_a_second_and_core{name}"),
            1.0 / median(&|r| r.ours),
            Goal::None,
            "one over the server's processor time for an upload",
        ));
        figures.push(Figure::new(
            format!("upload_ms{name}"),
            1e3 * wall.as_secs_f64() / uploads as f64,
            Goal::None,
            "mean time of an upload from its first byte to the answer, one after another",
        ));
    }
    Ok(figures)
}
