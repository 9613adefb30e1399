//! Metrics of the hashing pool: counts and durations, never passwords.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Plan;

/// Upper bounds of a histogram's buckets, in milliseconds. Longer durations are only in the count.
const BOUNDS_MILLISECONDS: [u64; 12] = [2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/// Metrics of the hashing pool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HashingMetrics {
    /// Number of hashing threads.
    pub threads: usize,
    /// Maximum memory of the pool in bytes, including the memory reserved for imported hashes.
    pub memory_bytes_max: u64,
    /// Number of passwords in the queue.
    pub queued: usize,
    /// Maximum number of passwords in the queue.
    pub queue_max: usize,
    /// Number of passwords being hashed.
    pub running: u64,
    /// Waiting times of the hashed passwords.
    pub waited: Histogram,
    /// Durations of the hashes; hashes computed together have the same duration.
    pub hashed: Histogram,
    /// Number of requests refused because the queue was full, or too long to finish in time.
    pub refused: u64,
    /// Number of requests whose wait timed out.
    pub late: u64,
    /// Number of requests that left the queue because the client disconnected.
    pub abandoned: u64,
}

/// A histogram of durations.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Histogram {
    /// Upper bound in seconds, and number of durations up to it.
    pub buckets: Vec<(f64, u64)>,
    /// Total number of durations.
    pub count: u64,
    /// Sum of all durations, in seconds.
    pub sum: f64,
}

#[derive(Default)]
pub(super) struct Metrics {
    running: AtomicU64,
    waited: Durations,
    hashed: Durations,
    refused: AtomicU64,
    late: AtomicU64,
    abandoned: AtomicU64,
    /// Recent thread time per password, in microseconds: a moving average.
    usual_microseconds: AtomicU64,
}

/// The divisor of the latest batch's weight in the moving average.
const LATEST: u64 = 8;

#[derive(Default)]
struct Durations {
    buckets: [AtomicU64; BOUNDS_MILLISECONDS.len()],
    count: AtomicU64,
    sum_microseconds: AtomicU64,
}

impl Durations {
    fn add(&self, duration: Duration) {
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MILLISECONDS.partition_point(|bound| bound * 1_000 < microseconds);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum_microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    fn read(&self) -> Histogram {
        let mut below = 0;
        let buckets = self.buckets.iter().zip(BOUNDS_MILLISECONDS).map(|(bucket, bound)| {
            below += bucket.load(Ordering::Relaxed);
            (Duration::from_millis(bound).as_secs_f64(), below)
        });
        Histogram {
            buckets: buckets.collect(),
            count: self.count.load(Ordering::Relaxed),
            sum: Duration::from_micros(self.sum_microseconds.load(Ordering::Relaxed)).as_secs_f64(),
        }
    }
}

impl Metrics {
    pub(super) fn begun(&self, waited: Duration) {
        self.running.fetch_add(1, Ordering::Relaxed);
        self.waited.add(waited);
    }

    pub(super) fn done(&self, took: Duration, passwords: usize) {
        self.running.fetch_sub(passwords as u64, Ordering::Relaxed);
        for _ in 0..passwords {
            self.hashed.add(took);
        }
        let each = u64::try_from(took.as_micros()).unwrap_or(u64::MAX) / passwords.max(1) as u64;
        let usual = self.usual_microseconds.load(Ordering::Relaxed);
        // If two threads do this concurrently, one of two samples is lost, which is harmless.
        let usual = if usual == 0 { each } else { usual - usual / LATEST + each / LATEST };
        self.usual_microseconds.store(usual, Ordering::Relaxed);
    }

    /// Returns the recent thread time per password; zero before the first.
    pub(super) fn usual_time(&self) -> Duration {
        Duration::from_micros(self.usual_microseconds.load(Ordering::Relaxed))
    }

    pub(super) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn abandoned(&self) {
        self.abandoned.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self, queued: usize, queue_max: usize, plan: &Plan) -> HashingMetrics {
        HashingMetrics {
            threads: plan.threads,
            memory_bytes_max: plan.threads as u64 * plan.arena_bytes + plan.spare_bytes,
            queued,
            queue_max,
            running: self.running.load(Ordering::Relaxed),
            waited: self.waited.read(),
            hashed: self.hashed.read(),
            refused: self.refused.load(Ordering::Relaxed),
            late: self.late.load(Ordering::Relaxed),
            abandoned: self.abandoned.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_upward() {
        let durations = Durations::default();
        for milliseconds in [1, 2, 3, 20_000] {
            durations.add(Duration::from_millis(milliseconds));
        }
        let histogram = durations.read();
        assert_eq!(histogram.buckets[..3], [(0.002, 2), (0.005, 3), (0.01, 3)]);
        assert_eq!((histogram.count, histogram.buckets.last().unwrap().1), (4, 3));
        assert!((histogram.sum - 20.006).abs() < 1e-9);
    }
}
