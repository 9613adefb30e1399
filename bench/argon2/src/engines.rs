//! The engines, each with fresh memory or with memory that is kept, as its name says.

mod arena;
mod c;

use std::fmt;
use std::process::Command;

use bench_kit::process::Conversation;
use countersign_argon2::{Arena, Input, Job, Params, Path, Variant, Version};
use rustix::time::{ClockId, clock_gettime};

pub(crate) const TAG: usize = 32;
pub(crate) const PASSWORD: &[u8] = b"password";
pub(crate) const SALT: &[u8] = b"saltsaltsaltsalt";

/// Hashes that are measured in a row, after one that is not: its caches are full of another engine's memory, unlike those of a
/// thread that hashes all day.
const IN_A_ROW: usize = 3;

/// Argon2id, version 0x13.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) memory_kib: u32,
    pub(crate) iterations: u32,
    pub(crate) lanes: u32,
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Argon2id m={} t={} p={}", self.memory_kib, self.iterations, self.lanes)
    }
}

/// The result of one measurement.
pub(crate) struct Measurement {
    pub(crate) tag: [u8; TAG],
    /// CPU time of a hash, over all threads that worked on it.
    pub(crate) cpu_ms: f64,
}

/// Where a library that allows both gets its memory.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    Fresh,
    Kept,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    ArgonCffi,
    CFresh,
    CKept,
    RustCryptoFresh,
    RustCryptoKept,
    Argon2Rust,
    Ours(Path, usize),
    Floor(usize),
}

impl Engine {
    pub(crate) fn best() -> Self {
        Self::Ours(Path::best(), 1)
    }

    pub(crate) fn avx2() -> Option<Self> {
        Path::Avx2.is_available().then_some(Self::Ours(Path::Avx2, 1))
    }

    pub(crate) fn path(self) -> Path {
        match self {
            Self::Ours(path, _) => path,
            _ => Path::best(),
        }
    }

    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![
            Self::ArgonCffi,
            Self::CFresh,
            Self::CKept,
            Self::RustCryptoFresh,
            Self::RustCryptoKept,
            Self::Argon2Rust,
        ];
        all.extend(Path::available().map(|path| Self::Ours(path, 1)));
        all.extend([Self::Ours(Path::best(), 2), Self::Floor(1)]);
        all
    }

    pub(crate) fn for_one_lane() -> Vec<Self> {
        let best = Path::best();
        let mut all = vec![Self::CKept, Self::RustCryptoFresh, Self::Argon2Rust];
        all.extend([1, 2, 4].map(|jobs| Self::Ours(best, jobs)));
        all.extend([1, 4].map(Self::Floor));
        all
    }

    pub(crate) fn for_two_threads() -> Vec<Self> {
        vec![Self::CKept, Self::RustCryptoFresh, Self::best(), Self::Floor(1)]
    }

    /// Prepares the engine; each call then takes a turn.
    pub(crate) fn start(self, cost: Cost) -> Box<dyn FnMut() -> Measurement> {
        match self {
            Self::ArgonCffi => python(cost),
            Self::CFresh => timed(1, move || c::hash(cost, Memory::Fresh)),
            Self::CKept => timed(1, move || c::hash(cost, Memory::Kept)),
            Self::RustCryptoFresh => {
                let engine = rustcrypto(cost);
                timed(1, move || {
                    let mut tag = [0; TAG];
                    engine.hash_password_into(PASSWORD, SALT, &mut tag).expect("legal parameters");
                    tag
                })
            }
            Self::RustCryptoKept => {
                let engine = rustcrypto(cost);
                let mut memory = arena::Kept::new(cost.memory_kib as usize * 1024);
                timed(1, move || {
                    let mut tag = [0; TAG];
                    #[expect(unsafe_code, reason = "blocks of a foreign type in memory of ours")]
                    // SAFETY: a block is 1024 bytes without padding, any bytes are one, and the mapping is aligned to pages.
                    let blocks = unsafe { memory.as_slice_of::<argon2::Block>() };
                    engine.hash_password_into_with_memory(PASSWORD, SALT, &mut tag, blocks).expect("legal parameters");
                    tag
                })
            }
            Self::Argon2Rust => {
                let params = argon2_rust::Params::builder()
                    .memory(argon2_rust::params::Memory::kib(u64::from(cost.memory_kib)))
                    .passes(cost.iterations)
                    .lanes(cost.lanes)
                    .threads(1)
                    .tag_len(argon2_rust::params::TagLen::bytes(TAG as u64))
                    .build();
                let engine = argon2_rust::Argon2::new(
                    argon2_rust::Algorithm::Argon2id,
                    argon2_rust::Version::V0x13,
                    params.expect("legal parameters"),
                );
                // The hasher keeps its memory.
                let mut hasher = engine.hasher();
                timed(1, move || {
                    let mut tag = [0; TAG];
                    hasher.hash_into(PASSWORD, SALT, &mut tag).expect("legal parameters");
                    tag
                })
            }
            Self::Ours(path, jobs) => ours(cost, jobs, move |arena, params, jobs| {
                arena.set_path(path).expect("an available path");
                arena.hash_many(params, jobs)
            }),
            Self::Floor(jobs) => ours(cost, jobs, Arena::memory_floor),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ArgonCffi => f.write_str("Python argon2-cffi, its own threads"),
            Self::CFresh => f.write_str("C, -O3 -march=native, fresh memory"),
            Self::CKept => f.write_str("C, -O3 -march=native, kept huge pages"),
            Self::RustCryptoFresh => f.write_str("argon2 0.6, fresh memory"),
            Self::RustCryptoKept => f.write_str("argon2 0.6, kept huge pages"),
            Self::Argon2Rust => f.write_str("argon2-rust 1.1, kept memory"),
            Self::Ours(path, 1) => write!(f, "ours, {path}"),
            Self::Ours(path, jobs) => write!(f, "ours, {path}, {jobs} jobs"),
            Self::Floor(1) => f.write_str("memory traffic alone"),
            Self::Floor(jobs) => write!(f, "memory traffic alone, {jobs} jobs"),
        }
    }
}

type Run = dyn FnMut(&mut Arena, &Params, &mut [Job<'_>]) -> Result<(), countersign_argon2::HashError>;

fn ours(
    cost: Cost,
    jobs: usize,
    mut run: impl FnMut(&mut Arena, &Params, &mut [Job<'_>]) -> Result<(), countersign_argon2::HashError> + 'static,
) -> Box<dyn FnMut() -> Measurement> {
    let Cost { memory_kib, iterations, lanes } = cost;
    let params = Params::new(Variant::Argon2id, Version::V0x13, memory_kib, iterations, lanes, TAG as u32);
    let params = params.expect("legal parameters");
    let mut arena = Arena::new(params.memory_bytes() * jobs as u64).expect("enough memory");
    let run: &mut Run = Box::leak(Box::new(move |a: &mut Arena, p: &Params, j: &mut [Job<'_>]| run(a, p, j)));
    timed(jobs, move || {
        let mut tags = vec![[0; TAG]; jobs];
        let mut jobs: Vec<_> =
            tags.iter_mut().map(|tag| Job { input: Input::new(PASSWORD, SALT), tag: tag.as_mut_slice() }).collect();
        run(&mut arena, &params, &mut jobs).expect("legal parameters");
        assert!(tags.iter().all(|tag| *tag == tags[0]), "equal jobs, different tags");
        tags[0]
    })
}

fn rustcrypto(cost: Cost) -> argon2::Argon2<'static> {
    let params = argon2::Params::new(cost.memory_kib, cost.iterations, cost.lanes, Some(TAG));
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params.expect("legal parameters"))
}

/// Measures the CPU time of the calling thread. A call of `hash` computes `hashes` at once.
fn timed(hashes: usize, mut hash: impl FnMut() -> [u8; TAG] + 'static) -> Box<dyn FnMut() -> Measurement> {
    Box::new(move || {
        let tag = hash();
        let start = thread_cpu_ms();
        for _ in 0..IN_A_ROW {
            assert_eq!(hash(), tag, "equal input, different tags");
        }
        Measurement { tag, cpu_ms: (thread_cpu_ms() - start) / (hashes * IN_A_ROW) as f64 }
    })
}

fn thread_cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// An interpreter that hashes on demand and measures its own process.
fn python(cost: Cost) -> Box<dyn FnMut() -> Measurement> {
    let python = std::env::var_os("BENCH_PYTHON").expect("BENCH_PYTHON is not set: start the benchmark with ./run");
    let mut command = Command::new(python);
    command.args(["-c", include_str!("../argon2_cffi.py")]);
    let mut python = Conversation::start(&mut command).expect("the Python of the virtual environment starts");
    Box::new(move || {
        let Cost { memory_kib, iterations, lanes } = cost;
        let line = python.ask(format_args!("{memory_kib} {iterations} {lanes} {IN_A_ROW}")).expect("Python answers");
        let (seconds, tag) = line.split_once(' ').expect("seconds and tag");
        let byte = |at: usize| u8::from_str_radix(&tag[at * 2..at * 2 + 2], 16).expect("hexadecimal");
        let seconds: f64 = seconds.parse().expect("seconds");
        Measurement { tag: std::array::from_fn(byte), cpu_ms: seconds * 1e3 / IN_A_ROW as f64 }
    })
}

/// The processor, the code paths, and the huge pages of the machine.
pub(crate) fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = cpu.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(": ").nth(1)).unwrap_or("unknown").to_owned()
    };
    let pages = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    let paths: Vec<_> = Path::available().map(|path| path.to_string()).collect();
    format!(
        "processor {} (family {}, model {}); paths {}; huge pages {}",
        field("model name"),
        field("cpu family"),
        field("model\t"),
        paths.join(", "),
        pages.trim()
    )
}
