//! Counting of attempts by rate, and the refusal of a client that has none left.

use jiff::SignedDuration;

use super::{Limit, TooManyAttempts};
use crate::config::{FAILURE_DECAY, LimitPolicy, Rate};

impl Rate {
    /// Returns how long one attempt takes to come back, rounded up so that the rate is never exceeded.
    pub(crate) fn interval_microseconds(self) -> i64 {
        let period = i64::try_from(self.period().as_micros()).expect("a day at the most");
        let tries = i64::from(self.tries());
        period / tries + i64::from(period % tries > 0)
    }

    /// Returns the interval as a duration.
    pub(crate) fn interval(self) -> SignedDuration {
        SignedDuration::from_micros(self.interval_microseconds())
    }

    /// Returns how far ahead the instant at which all attempts are back may be while one is left.
    pub(crate) fn slack(self) -> SignedDuration {
        SignedDuration::from_micros(self.interval_microseconds() * i64::from(self.tries() - 1))
    }

    /// Takes one attempt. `full_at` is when all attempts will be back. Returns its new value, or how long to wait if
    /// none is left. All in microseconds since 1970.
    pub(super) fn take(self, full_at: i64, now: i64) -> (i64, Result<(), SignedDuration>) {
        let interval = self.interval_microseconds();
        let fullest = now + interval * i64::from(self.tries());
        // It is later only if the clock was set back.
        let full_at = full_at.clamp(now, fullest);
        let wait = full_at + interval - fullest;
        if wait <= 0 { (full_at + interval, Ok(())) } else { (full_at, Err(SignedDuration::from_micros(wait))) }
    }
}

impl LimitPolicy {
    pub(super) fn rate(&self, limit: Limit) -> Rate {
        match limit {
            Limit::LogIn => self.log_in,
            Limit::Register => self.register,
            Limit::Mail => self.mail,
            Limit::Secret => self.secret,
            Limit::Refresh => self.refresh,
            Limit::Upload => self.upload,
        }
    }

    /// Returns the refusal for an account whose next attempt has to wait.
    pub(crate) fn account_limited(&self, wait: SignedDuration) -> TooManyAttempts {
        let tries = self.account_tries.get();
        let window = FAILURE_DECAY.saturating_mul(i32::try_from(tries).unwrap_or(i32::MAX));
        TooManyAttempts::new("account", tries, window, wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_does_not_divide_is_rounded_up() {
        assert_eq!(Rate::new(7, SignedDuration::from_secs(10)).unwrap().interval_microseconds(), 1_428_572);
    }
}
