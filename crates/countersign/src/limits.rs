//! Rate limits per network, for operations that are expensive or open to guessing: a closed list of limits, each with a
//! rate, in bounded memory.
//!
//! Each instance counts separately. Attempts on an account are counted in the database; see [`LimitPolicy::wait`].

mod rate;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};
use quick_cache::sync::Cache;

use crate::config::{LimitPolicy, Rate};
use crate::model::Network;

/// Maximum number of counters, for networks times limits: some 8 MiB. Beyond that, the least used are evicted and start
/// afresh: an attacker with so many networks is not stopped by a limit per network.
const REMEMBERED_MAX: usize = 65_536;

/// What is limited per network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Limit {
    /// Failed logins.
    LogIn,
    /// Registrations.
    Register,
    /// Operations that mail an address of the client's choice.
    Mail,
    /// Operations that accept a mailed secret.
    Secret,
    /// Refused refresh tokens.
    Refresh,
    /// Picture uploads.
    Upload,
}

impl Limit {
    fn as_str(self) -> &'static str {
        match self {
            Self::LogIn => "login",
            Self::Register => "register",
            Self::Mail => "mail",
            Self::Secret => "secret",
            Self::Refresh => "refresh",
            Self::Upload => "upload",
        }
    }
}

/// Too many attempts; a later one can succeed. Nothing in it depends on whether an account exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; try again in {retry_after_seconds} seconds")]
#[non_exhaustive]
pub struct TooManyAttempts {
    /// The name of the limit.
    pub policy: &'static str,
    /// How many attempts the window allows.
    pub quota: u32,
    /// Length of the window, in seconds.
    pub window_seconds: u32,
    /// When to try again, in seconds; at least 1.
    pub retry_after_seconds: u32,
}

impl TooManyAttempts {
    pub(crate) fn new(policy: &'static str, quota: u32, window: SignedDuration, wait: SignedDuration) -> Self {
        let seconds = |duration: SignedDuration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
        // Round up, so that a client that waits as told is not early.
        let part = u32::from(wait.subsec_nanos() > 0);
        Self {
            policy,
            quota,
            window_seconds: seconds(window),
            retry_after_seconds: seconds(wait.max(SignedDuration::ZERO)).saturating_add(part).max(1),
        }
    }

    pub(crate) fn of_rate(policy: &'static str, rate: Rate, wait: SignedDuration) -> Self {
        Self::new(policy, rate.tries(), rate.period(), wait)
    }
}

/// Counters per network.
pub(crate) struct Limiter {
    policy: Option<LimitPolicy>,
    /// When each will have all its attempts again, in microseconds since 1970: the only state needed (the "virtual
    /// scheduling" of the generic cell rate algorithm, ITU-T I.371).
    full_at: Cache<(Limit, Network), Arc<AtomicI64>>,
}

/// An attempt that was counted.
pub(crate) struct Taken(Option<(Arc<AtomicI64>, Rate)>);

impl Taken {
    /// Refunds the attempt.
    pub(crate) fn refund(self) {
        if let Some((full_at, rate)) = self.0 {
            full_at.fetch_sub(rate.interval_microseconds(), Ordering::Relaxed);
        }
    }
}

impl Limiter {
    /// Creates a limiter. Without a policy nothing is limited.
    pub(crate) fn new(policy: Option<&LimitPolicy>) -> Self {
        Self { policy: policy.cloned(), full_at: Cache::new(REMEMBERED_MAX) }
    }

    /// Counts an attempt of this network, if it has one left. The host's own code is not limited.
    pub(crate) fn take(&self, limit: Limit, network: Network, now: Timestamp) -> Result<Taken, TooManyAttempts> {
        let Some(policy) = self.policy.as_ref().filter(|_| network != Network::Host) else {
            return Ok(Taken(None));
        };
        let (rate, now) = (policy.rate(limit), now.as_microsecond());
        let fresh = || Ok::<_, std::convert::Infallible>(Arc::new(AtomicI64::new(now)));
        let Ok(full_at) = self.full_at.get_or_insert_with(&(limit, network), fresh);
        let mut outcome = Ok(());
        // Always `Ok`, because the closure never returns `None`.
        let _ = full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let (next, taken) = rate.take(full_at, now);
            outcome = taken;
            Some(next)
        });
        match outcome {
            Ok(()) => Ok(Taken(Some((full_at, rate)))),
            Err(wait) => Err(TooManyAttempts::of_rate(limit.as_str(), rate, wait)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::thread;

    use super::*;

    fn limiter(tries: u32, period_seconds: i64) -> Limiter {
        let rate = Rate::new(tries, SignedDuration::from_secs(period_seconds)).unwrap();
        Limiter::new(Some(&LimitPolicy { log_in: rate, ..LimitPolicy::default() }))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    const NETWORK: Network = Network::V4(1);

    fn take(limiter: &Limiter, seconds: i64) -> Result<(), u32> {
        let taken = limiter.take(Limit::LogIn, NETWORK, at(seconds));
        taken.map(drop).map_err(|limited| limited.retry_after_seconds)
    }

    #[test]
    fn all_tries_may_be_used_at_once_and_come_back_one_by_one() {
        let limiter = limiter(3, 30);
        assert_eq!([0, 0, 0, 0].map(|seconds| take(&limiter, seconds)), [Ok(()), Ok(()), Ok(()), Err(10)]);
        assert_eq!([9, 10, 10].map(|seconds| take(&limiter, seconds)), [Err(1), Ok(()), Err(10)]);
        // After the whole period all attempts are back, and never more.
        assert_eq!([100, 100, 100, 100].map(|seconds| take(&limiter, seconds)), [Ok(()), Ok(()), Ok(()), Err(10)]);
    }

    #[test]
    fn a_try_that_is_given_back_does_not_count() {
        let limiter = limiter(1, 60);
        for _ in 0..5 {
            limiter.take(Limit::LogIn, NETWORK, at(0)).unwrap().refund();
        }
        assert_eq!([0, 0].map(|seconds| take(&limiter, seconds)), [Ok(()), Err(60)]);
    }

    #[test]
    fn each_network_and_each_limit_counts_for_itself_and_the_host_for_nothing() {
        let limiter = limiter(1, 60);
        assert!(limiter.take(Limit::LogIn, Network::V4(1), at(0)).is_ok());
        assert!(limiter.take(Limit::LogIn, Network::V4(2), at(0)).is_ok());
        assert!(limiter.take(Limit::LogIn, Network::V6(1), at(0)).is_ok());
        assert!(limiter.take(Limit::Register, Network::V4(1), at(0)).is_ok());
        let refusal = limiter.take(Limit::LogIn, Network::V4(1), at(0)).map(drop).unwrap_err();
        assert_eq!((refusal.policy, refusal.quota, refusal.window_seconds), ("login", 1, 60));
        // Clients without a known address count as one network.
        assert!(limiter.take(Limit::LogIn, Network::Unknown, at(0)).is_ok());
        assert!(limiter.take(Limit::LogIn, Network::Unknown, at(0)).is_err());
        for _ in 0..1_000 {
            assert!(limiter.take(Limit::LogIn, Network::Host, at(0)).is_ok());
            assert!(Limiter::new(None).take(Limit::LogIn, Network::V4(1), at(0)).is_ok());
        }
    }

    #[test]
    fn a_clock_that_was_set_back_locks_nobody_out_for_longer_than_the_period() {
        let limiter = limiter(2, 60);
        assert_eq!([0, 0].map(|seconds| take(&limiter, seconds)), [Ok(()), Ok(())]);
        assert_eq!([-500_000, -499_970].map(|seconds| take(&limiter, seconds)), [Err(30), Ok(())]);
    }

    #[test]
    fn of_many_at_once_no_more_get_through_than_may() {
        let limiter = limiter(100, 3_600);
        let through: usize = thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| (0..100).filter(|_| take(&limiter, 0).is_ok()).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(through, 100);
    }

    #[test]
    fn the_limiter_remembers_no_more_than_it_may() {
        let limiter = limiter(1, 60);
        for network in 0..4 * REMEMBERED_MAX as u64 {
            assert!(limiter.take(Limit::LogIn, Network::V6(network), at(0)).is_ok());
        }
        // Each shard of the cache rounds its share up.
        let parts = thread::available_parallelism().map_or(1, NonZeroUsize::get) * 8;
        assert!(limiter.full_at.len() <= REMEMBERED_MAX + parts, "{}", limiter.full_at.len());
        // The number that the documents state.
        let each = size_of::<(Limit, Network)>() + size_of::<Arc<AtomicI64>>() + 3 * size_of::<usize>();
        assert!(each * REMEMBERED_MAX <= 8 * 1024 * 1024, "{each} bytes");
    }
}
