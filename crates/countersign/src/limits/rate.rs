//! How the tries of a rate are counted, and what a client is told that has none left.

use jiff::SignedDuration;

use super::{Limit, TooManyAttempts};
use crate::config::{FORGIVEN_AFTER, LimitPolicy, Rate};

impl Rate {
    /// After how long one try comes back. Rounded up, so that there are never more than may be.
    pub(crate) fn interval_microseconds(self) -> i64 {
        let period = i64::try_from(self.period().as_micros()).expect("a day at the most");
        let tries = i64::from(self.tries());
        period / tries + i64::from(period % tries > 0)
    }

    /// The same.
    pub(crate) fn interval(self) -> SignedDuration {
        SignedDuration::from_micros(self.interval_microseconds())
    }

    /// How far ahead the instant may be at which all tries are back, if there is to be one left.
    pub(crate) fn slack(self) -> SignedDuration {
        SignedDuration::from_micros(self.interval_microseconds() * i64::from(self.tries() - 1))
    }

    /// Takes one try of those that will all be back at an instant: the instant after that, or how long until one is left. All in
    /// microseconds since 1970.
    pub(super) fn take(self, full_at: i64, now: i64) -> (i64, Result<(), SignedDuration>) {
        let interval = self.interval_microseconds();
        let fullest = now + interval * i64::from(self.tries());
        // More than all tries are missing only when the clock was set back.
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

    /// What a client is told that has to wait.
    pub(crate) fn account_limited(&self, wait: SignedDuration) -> TooManyAttempts {
        let tries = self.account_tries.get();
        let window = FORGIVEN_AFTER.saturating_mul(i32::try_from(tries).unwrap_or(i32::MAX));
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
