//! Photographs that one core makes into profile pictures: by the whole server, and by Pillow alone.

use std::fs;
use std::time::{Duration, Instant};

use bench_kit::broken::Outcome;
use bench_kit::machine::process_cpu;
use bench_kit::report::{Figure, Goal};
use bench_kit::server::Log;
use bench_kit::statistics::median;

use crate::Bench;
use crate::peer::Peer;
use crate::photograph::{self, Coding};
use crate::user::User;

struct Round {
    ours: f64,
    plain: f64,
    draft: f64,
}

pub(crate) fn measure(bench: &Bench) -> Outcome<Vec<Figure>> {
    let installation = bench.installation()?;
    let server = installation.start(Log::Checked, &[])?;
    let user = User::register(server.address, 0)?;
    let mut peer = Peer::start(bench)?;
    println!("{}", peer.version);
    let folder = tempfile::tempdir()?;
    let mut figures = Vec::new();
    for (name, coding) in [("", Coding::Sequential), ("_progressive", Coding::Progressive)] {
        let photograph = photograph::jpeg(4_000, 3_000, coding)?;
        let path = folder.path().join("photograph.jpg");
        fs::write(&path, &photograph)?;
        let cpu = || process_cpu(server.process());
        let mut rounds = Vec::new();
        let mut wall = Duration::ZERO;
        for _ in 0..bench.scale.rounds {
            let count = bench.scale.uploads_a_round;
            let (before, begun) = (cpu()?, Instant::now());
            for _ in 0..count {
                user.upload(&photograph)?.expect(200)?;
            }
            wall += begun.elapsed();
            let ours = cpu()?.saturating_sub(before).as_secs_f64() / count as f64;
            let mut pillow = |way| -> Outcome<f64> {
                let mut spent = Duration::ZERO;
                for _ in 0..count {
                    spent += peer.make(way, 300, &path)?.cpu;
                }
                Ok(spent.as_secs_f64() / count as f64)
            };
            rounds.push(Round { ours, plain: pillow("plain")?, draft: pillow("draft")? });
        }
        let median = |of: &dyn Fn(&Round) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>());
        let uploads = rounds.len() * bench.scale.uploads_a_round;
        println!(
            "{} bytes{name}: ours {:.1} ms of processor time an upload, Pillow {:.1} ms, Pillow with draft() {:.1} ms",
            photograph.len(),
            1e3 * median(&|round| round.ours),
            1e3 * median(&|round| round.plain),
            1e3 * median(&|round| round.draft),
        );
        let goal = (coding == Coding::Sequential).then_some(Goal::AtLeast(2.0));
        let note = format!("median of {} rounds: processor time of Pillow over the server's", rounds.len());
        figures.push(Figure::new(format!("ratio_to_pillow{name}"), median(&|r| r.plain / r.ours), goal, &note));
        figures.push(Figure::new(
            format!("ratio_to_pillow_draft{name}"),
            median(&|r| r.draft / r.ours),
            None,
            "the same, Pillow told to decode at a smaller scale, which the tutorial does not",
        ));
        figures.push(Figure::new(
            format!("uploads_a_second_and_core{name}"),
            1.0 / median(&|r| r.ours),
            None,
            "one over the server's processor time for an upload",
        ));
        figures.push(Figure::new(
            format!("upload_ms{name}"),
            1e3 * wall.as_secs_f64() / uploads as f64,
            None,
            "mean time of an upload from its first byte to the answer, one after another",
        ));
    }
    Ok(figures)
}
