//! The hashing pool: its threads, its memory and how long requests wait for it.

use std::num::NonZeroUsize;
use std::time::Duration;

/// How many passwords are hashed at once, in how much memory, and how long the others wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashingPolicy {
    /// Threads that hash, at the most.
    pub threads: NonZeroUsize,
    /// Memory that hashing may take, in bytes. `None`: what the threads need at today's costs and 256 MiB for imported
    /// hashes of higher ones, but at most half of what the machine or the control group has.
    pub memory_bytes_max: Option<u64>,
    /// Requests waiting for their turn, and as many from devices that their users have logged in with before. One more is
    /// refused at once, unless it comes from a network that has fewer waiting than another.
    pub queue_max: usize,
    /// How long a request waits before it is refused.
    pub wait_max: Duration,
}

impl Default for HashingPolicy {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            memory_bytes_max: None,
            queue_max: 1_024,
            wait_max: Duration::from_secs(10),
        }
    }
}
