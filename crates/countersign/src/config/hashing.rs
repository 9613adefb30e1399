//! The password hashing pool: its threads, its memory, and how long requests wait for it.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Limits of concurrent password hashing, and of waiting for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HashingPolicy {
    /// Maximum number of hashing threads.
    pub threads: NonZeroUsize,
    /// Maximum memory for hashing, in bytes. `None`: what the threads need at the current cost, plus 256 MiB for imported hashes of
    /// higher cost, but at most half of the memory of the machine or the control group.
    pub memory_bytes_max: Option<u64>,
    /// Maximum number of waiting requests; as many more may wait from devices that their users have logged in with before. Further
    /// requests are rejected at once, unless they come from a network with fewer waiting requests than another.
    pub queue_max: usize,
    /// How long a request waits before it is rejected.
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
