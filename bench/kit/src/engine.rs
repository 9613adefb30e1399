//! The bare Argon2 engine, the limit of every login rate: one thread for each core, each in an arena that it keeps.

use std::thread;
use std::time::{Duration, Instant};

use countersign_argon2::{Arena, Input, Params, Variant, Version};

use crate::broken::{Outcome, broken};
use crate::machine::own_cpu;

pub struct Speed {
    pub per_second: f64,
    /// Processor time of one hash.
    pub hash_cpu: Duration,
}

pub struct Engine {
    params: Params,
    arenas: Vec<Arena>,
}

impl Engine {
    /// With the server's default costs.
    pub fn new(threads: usize) -> Outcome<Self> {
        let params = Params::new(Variant::Argon2id, Version::V0x13, 65_536, 3, 4, 32)?;
        let arenas = (0..threads).map(|_| Arena::new(params.memory_bytes())).collect::<Result<_, _>>()?;
        Ok(Self { params, arenas })
    }

    /// Hashes for about `window` on all threads. Each thread finishes its last hash and takes its own time, so whole hashes are
    /// counted.
    pub fn measure(&mut self, window: Duration) -> Outcome<Speed> {
        let params = &self.params;
        let cpu_before = own_cpu()?;
        let threads: Vec<(u32, f64)> = thread::scope(|scope| {
            let threads: Vec<_> =
                self.arenas.iter_mut().map(|arena| scope.spawn(move || hash_for(arena, params, window))).collect();
            let ended = threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|_| broken("a thread of the bare engine ended unexpectedly"))
            });
            ended.collect::<Outcome<_>>()
        })?;
        let hashes: u32 = threads.iter().map(|(hashes, _)| hashes).sum();
        Ok(Speed {
            per_second: threads.iter().map(|(hashes, seconds)| f64::from(*hashes) / seconds).sum(),
            hash_cpu: own_cpu()?.saturating_sub(cpu_before) / hashes.max(1),
        })
    }
}

/// The number of hashes, and the seconds they took.
fn hash_for(arena: &mut Arena, params: &Params, window: Duration) -> Outcome<(u32, f64)> {
    let begun = Instant::now();
    let mut hashes = 0_u32;
    let mut tag = [0; 32];
    while begun.elapsed() < window {
        let password = u64::from(hashes).to_le_bytes();
        arena.hash(params, &Input::new(&password, b"sixteen byte salt"), &mut tag)?;
        hashes += 1;
    }
    Ok((hashes, begun.elapsed().as_secs_f64()))
}
