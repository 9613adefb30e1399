//! Rate limits for each network, and how the wait grows after wrong passwords.

use std::fmt;
use std::num::NonZeroU32;

use jiff::SignedDuration;

/// A rate limit, tries per period. A network may use all tries at once, and regains them evenly over the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    tries: NonZeroU32,
    period: SignedDuration,
}

/// Why a rate is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRate {
    /// Zero tries, or more than a million.
    #[error("tries must be between 1 and 1000000")]
    Tries,
    /// A period under a second, or over a day.
    #[error("the period must be between a second and 24 hours")]
    Period,
}

impl Rate {
    /// Makes a rate of 1 to 1,000,000 tries per period, which is a second to 24 hours.
    pub fn new(tries: u32, period: SignedDuration) -> Result<Self, InvalidRate> {
        let tries = NonZeroU32::new(tries).filter(|tries| tries.get() <= 1_000_000).ok_or(InvalidRate::Tries)?;
        if period < SignedDuration::from_secs(1) || period > SignedDuration::from_hours(24) {
            return Err(InvalidRate::Period);
        }
        Ok(Self { tries, period })
    }

    const fn per_ten_minutes(tries: u32) -> Self {
        Self { tries: NonZeroU32::new(tries).expect("not zero"), period: SignedDuration::from_mins(10) }
    }

    /// The number of tries.
    pub fn tries(self) -> u32 {
        self.tries.get()
    }

    /// The period.
    pub fn period(self) -> SignedDuration {
        self.period
    }
}

impl fmt::Display for Rate {
    /// Formats the rate as in settings: the tries, a slash, and the period in its largest whole unit, such as `100/10m`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.period.as_secs();
        if self.period.subsec_nanos() > 0 {
            write!(f, "{}/{}s", self.tries, self.period.as_secs_f64())
        } else if seconds % 3_600 == 0 {
            write!(f, "{}/{}h", self.tries, seconds / 3_600)
        } else if seconds % 60 == 0 {
            write!(f, "{}/{}m", self.tries, seconds / 60)
        } else {
            write!(f, "{}/{seconds}s", self.tries)
        }
    }
}

/// The rate limits. Those for a network are counted in memory by each instance, those for an account in the database by all.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitPolicy {
    /// Failed logins from a network.
    pub log_in: Rate,
    /// Registrations from a network.
    pub register: Rate,
    /// Mails that a network causes to addresses of its choice.
    pub mail: Rate,
    /// Tokens and codes from mails that a network submits.
    pub secret: Rate,
    /// Rejected refresh tokens from a network.
    pub refresh: Rate,
    /// Picture uploads from a network.
    pub upload: Rate,
    /// Wrong passwords for one account before each further attempt must wait.
    pub account_tries: NonZeroU32,
    /// Mails to one address that anyone can cause; also, counted separately, notices of one kind to a verified address.
    pub mail_to_address: Rate,
}

impl Default for LimitPolicy {
    fn default() -> Self {
        const HOURLY: Rate =
            Rate { tries: NonZeroU32::new(5).expect("not zero"), period: SignedDuration::from_mins(60) };
        Self {
            log_in: Rate::per_ten_minutes(100),
            register: Rate::per_ten_minutes(100),
            mail: Rate::per_ten_minutes(50),
            secret: Rate::per_ten_minutes(100),
            refresh: Rate::per_ten_minutes(1_000),
            upload: Rate::per_ten_minutes(100),
            account_tries: const { NonZeroU32::new(10).expect("not zero") },
            mail_to_address: HOURLY,
        }
    }
}

/// One failure is forgiven for each full hour without another one.
pub(crate) const FAILURE_DECAY: SignedDuration = SignedDuration::from_hours(1);
/// The first wait, which doubles with each further failure.
const FIRST_WAIT: SignedDuration = SignedDuration::from_secs(30);
/// The longest wait: long enough to make guessing hopeless, short enough not to lock the owner out.
pub(crate) const WAIT_MAX: SignedDuration = SignedDuration::from_mins(15);

impl LimitPolicy {
    /// The furthest that any time counted in the database can lie in the future.
    pub(crate) fn ahead_max(&self) -> SignedDuration {
        WAIT_MAX.max(self.mail_to_address.period())
    }

    /// Returns how long the next attempt must wait after this many failures in a row: zero at first, then half a minute, doubling
    /// up to a quarter of an hour. With the default of 10 tries, an attacker gets at most 109 guesses a day: those 10, 5 while the
    /// wait grows, and 94 in the rest of the day.
    pub fn wait(&self, failures: i64) -> SignedDuration {
        let beyond = failures.saturating_sub(self.account_tries.get().into());
        if beyond < 0 {
            return SignedDuration::ZERO;
        }
        FIRST_WAIT.saturating_mul(1 << beyond.min(10)).min(WAIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_begin_after_the_free_tries_and_grow_to_a_bound() {
        let policy = LimitPolicy::default();
        for (failures, seconds) in
            [(0, 0), (9, 0), (10, 30), (11, 60), (12, 120), (14, 480), (15, 900), (16, 900), (i64::MAX, 900)]
        {
            assert_eq!(policy.wait(failures), SignedDuration::from_secs(seconds), "{failures}");
        }
    }

    #[test]
    fn rates_out_of_range_are_refused() {
        let day = SignedDuration::from_hours(24);
        assert!(Rate::new(1_000_000, day).is_ok() && Rate::new(1, SignedDuration::from_secs(1)).is_ok());
        assert_eq!(Rate::new(0, day), Err(InvalidRate::Tries));
        assert_eq!(Rate::new(1_000_001, day), Err(InvalidRate::Tries));
        assert_eq!(Rate::new(1, SignedDuration::from_millis(999)), Err(InvalidRate::Period));
        assert_eq!(Rate::new(1, day + SignedDuration::from_secs(1)), Err(InvalidRate::Period));
    }

    #[test]
    fn a_rate_is_shown_as_it_is_set() {
        let shown = |tries, seconds| Rate::new(tries, SignedDuration::from_secs(seconds)).unwrap().to_string();
        assert_eq!(shown(100, 600), "100/10m");
        assert_eq!(shown(5, 3_600), "5/1h");
        assert_eq!(shown(1, 90), "1/90s");
        assert_eq!(shown(1_000, 86_400), "1000/24h");
        assert_eq!(Rate::new(1, SignedDuration::from_millis(1_500)).unwrap().to_string(), "1/1.5s");
    }
}
