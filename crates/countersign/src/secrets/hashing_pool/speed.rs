//! Measures how fast this machine hashes with given parameters: one password at a time, then at full load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::HashingPool;
use crate::config::{HashParameters, HashingPolicy};
use crate::model::{DeviceTrust, Network, Password, Requester};

const ASKER: Requester = Requester { network: Network::Host, standing: DeviceTrust::Stranger };

/// The measured speed of password hashing.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct HashingSpeed {
    /// Median duration of one hash while nothing else is hashed.
    pub alone: Duration,
    /// Hashes per second at full load.
    pub per_second: f64,
    /// Memory used at full load, in bytes.
    pub memory_bytes: u64,
}

/// Hashes with these parameters for about `time`, half of it one at a time and half at full load.
///
/// # Panics
/// If the system does not have enough memory.
pub async fn measure_hashing(policy: &HashingPolicy, parameters: HashParameters, time: Duration) -> HashingSpeed {
    const HASHES_MIN: usize = 3;
    let pool = Arc::new(HashingPool::new(policy, &parameters));
    let password = Arc::new(Password::presented("correct horse battery staple"));
    let hash = || async {
        let begun = Instant::now();
        let hashed = pool.hash(ASKER, parameters, &password).await;
        hashed.expect("the system has memory for a hash");
        begun.elapsed()
    };
    hash().await; // the first hash touches the memory

    let begun = Instant::now();
    let mut alone = Vec::new();
    while begun.elapsed() < time / 2 || alone.len() < HASHES_MIN {
        alone.push(hash().await);
    }
    alone.sort_unstable();

    let plan = pool.shared.plan;
    let mut askers = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..2 * plan.threads * plan.together {
        let (pool, password) = (Arc::clone(&pool), Arc::clone(&password));
        askers.spawn(async move {
            let mut ends = Vec::new();
            while begun.elapsed() < time / 2 || ends.is_empty() {
                if pool.hash(ASKER, parameters, &password).await.is_ok() {
                    ends.push(begun.elapsed());
                }
            }
            ends
        });
    }
    let ends: Vec<Duration> = askers.join_all().await.into_iter().flatten().collect();
    // Hashes that start after the time is over run at decreasing load, so they do not count.
    let in_time = ends.iter().filter(|end| **end <= time / 2).count().max(1);
    let measured = ends.iter().filter(|end| **end <= time / 2).max().or(ends.iter().min()).copied().unwrap_or(time);
    HashingSpeed {
        alone: alone[alone.len() / 2],
        per_second: in_time as f64 / measured.as_secs_f64(),
        memory_bytes: plan.threads as u64 * plan.arena_bytes,
    }
}
