//! The comparisons and their ratios. `README.md` beside this explains them.

mod engines;
mod figures;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Barrier;

use bench_kit::broken::{Outcome, broken};

use engines::{Cost, Engine, TAG};
use figures::Figures;

/// The cost of the goals.
const FOUR_LANES: Cost = Cost { memory_kib: 65_536, iterations: 3, lanes: 4 };
/// The same without lanes to interleave inside a hash.
const ONE_LANE: Cost = Cost { lanes: 1, ..FOUR_LANES };

fn main() -> ExitCode {
    bench_kit::run(run)
}

fn run() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut rounds, mut short) = (7, false);
    let mut at = arguments.iter();
    while let Some(argument) = at.next() {
        match argument.as_str() {
            "--short" => short = true,
            "--rounds" => match at.next().and_then(|number| number.parse().ok()) {
                Some(number) => rounds = number,
                None => return broken("--rounds takes a number"),
            },
            _ => return broken(format!("{argument} is neither --short nor --rounds")),
        }
    }
    if short {
        rounds = 3;
    }

    println!("{}", engines::machine());
    check();
    let four = measure(FOUR_LANES, 1, rounds, &Engine::all());
    let one = measure(ONE_LANE, 1, rounds, &Engine::for_one_lane());
    let two = measure(FOUR_LANES, 2, rounds, &Engine::for_two_threads());

    report(&four, &one, &two);
    Ok(())
}

fn report(four: &Figures, one: &Figures, two: &Figures) {
    println!(
        "\nEach ratio is the median, over the rounds, of the peer's CPU time per hash divided by ours in the same round."
    );
    let best = Engine::best();
    let c = Engine::CKept;
    ratio(
        "ratio_to_c_native",
        "m=65536 t=3 p=4, one thread: C -O3 -march=native on a kept huge-page arena / ours",
        four,
        &c,
        &best,
    );
    ratio("ratio_to_argon2_cffi", "the same: Python's argon2-cffi / ours", four, &Engine::ArgonCffi, &best);
    ratio(
        "ratio_to_floor",
        "the same: ours / the same memory traffic without arithmetic",
        four,
        &best,
        &Engine::Floor(1),
    );
    ratio(
        "ratio_two_threads_to_rustcrypto",
        "m=65536 t=3 p=4, two threads at once: the argon2 crate as it comes / ours",
        two,
        &Engine::RustCryptoFresh,
        &best,
    );
    if let Some(avx2) = Engine::avx2() {
        ratio("ratio_avx2_to_c_native", "as ratio_to_c_native, ours limited to AVX2", four, &c, &avx2);
    }
    let jobs = |jobs| Engine::Ours(best.path(), jobs);
    ratio(
        "ratio_p1_interleaved",
        "m=65536 t=3 p=1, one thread: the C build / ours per job, four jobs interleaved",
        one,
        &c,
        &jobs(4),
    );
    ratio(
        "ratio_p1_interleaved_to_single",
        "the same: ours, one job / ours per job, four interleaved",
        one,
        &jobs(1),
        &jobs(4),
    );
}

/// All engines must give the same bytes, with one lane and with four.
fn check() {
    for cost in [FOUR_LANES, ONE_LANE] {
        let mut tags: BTreeMap<[u8; TAG], Vec<String>> = BTreeMap::new();
        for engine in Engine::all().into_iter().chain(Engine::for_one_lane()) {
            if matches!(engine, Engine::Floor(_)) {
                continue;
            }
            let tag = engine.start(cost)().tag;
            tags.entry(tag).or_default().push(engine.to_string());
        }
        assert_eq!(tags.len(), 1, "engines disagree at {cost}: {tags:?}");
        println!("{cost}: {} engines, one tag", tags.values().map(Vec::len).sum::<usize>());
    }
}

/// CPU milliseconds per hash of every engine: in each round all engines take a turn, on all threads at once.
fn measure(cost: Cost, threads: usize, rounds: usize, engines: &[Engine]) -> Figures {
    let barrier = Barrier::new(threads);
    let mut figures: Vec<Figures> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut running: Vec<_> = engines.iter().map(|engine| engine.start(cost)).collect();
                    let mut figures = Figures::default();
                    // The first round warms up: it touches pages, finds huge ones, and starts the interpreter.
                    for round in 0..=rounds {
                        for (engine, run) in engines.iter().zip(&mut running) {
                            barrier.wait();
                            let turn = run();
                            if round > 0 {
                                figures.add(engine, turn.cpu_ms);
                            }
                        }
                    }
                    figures
                })
            })
            .collect();
        handles.into_iter().map(|handle| handle.join().expect("a measuring thread panicked")).collect()
    });
    let mut all = figures.remove(0);
    for other in figures {
        all.mean_with(&other);
    }
    println!("\n{cost}, {threads} thread(s), {rounds} rounds\n\n{all}");
    all
}

/// Prints a ratio: its definition with its spread, and its line.
fn ratio(name: &str, meaning: &str, figures: &Figures, above: &Engine, below: &Engine) {
    let rounds = figures.ratio(above, below);
    println!("# {meaning} ({below}); {:.2} to {:.2}", rounds.min(), rounds.max());
    println!("{name} {:.2}", rounds.median());
}
