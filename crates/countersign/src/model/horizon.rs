//! Protection against wrong clocks. A clock that runs ahead writes instants that lie in the future once it is right
//! again. A stored instant further ahead than a right clock can have written counts as now, so that nothing waits for
//! it.

use jiff::{SignedDuration, Timestamp};

/// How far the clocks of two instances may differ.
pub(crate) const CLOCKS_APART_MAX: SignedDuration = SignedDuration::from_secs(60);

/// Returns `instant` plus `by`, or the last instant on overflow.
pub(crate) fn later(instant: Timestamp, by: SignedDuration) -> Timestamp {
    instant.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Returns `instant` minus `by`, or the first instant on overflow.
pub(crate) fn earlier(instant: Timestamp, by: SignedDuration) -> Timestamp {
    instant.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

/// The current time, and the latest instant that another instance can have written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    now: Timestamp,
    latest: Timestamp,
}

impl Horizon {
    /// Creates a horizon for instants that are written at most `ahead_max` ahead.
    pub(crate) fn new(now: Timestamp, ahead_max: SignedDuration) -> Self {
        let ahead_max = ahead_max.saturating_add(CLOCKS_APART_MAX);
        Self { now, latest: later(now, ahead_max) }
    }

    /// Returns the current time.
    pub(crate) fn now(self) -> Timestamp {
        self.now
    }

    /// Returns the latest plausible instant, for SQL to compare with.
    pub(crate) fn latest(self) -> Timestamp {
        self.latest
    }

    /// Whether only a wrong clock can have written this instant.
    pub(crate) fn is_beyond(self, instant: Timestamp) -> bool {
        instant > self.latest
    }

    /// Returns the instant, or now if it is not plausible.
    pub(crate) fn plausible(self, instant: Timestamp) -> Timestamp {
        if self.is_beyond(instant) { self.now } else { instant }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_right_clock_can_have_written_is_believed_and_nothing_beyond() {
        let now = Timestamp::UNIX_EPOCH;
        let horizon = Horizon::new(now, SignedDuration::from_mins(15));
        let ahead = |seconds| now + SignedDuration::from_secs(seconds);
        for seconds in [-1_000_000, 0, 900, 960] {
            assert_eq!(horizon.plausible(ahead(seconds)), ahead(seconds), "{seconds}");
        }
        for seconds in [961, 86_400] {
            assert_eq!(horizon.plausible(ahead(seconds)), now, "{seconds}");
        }
        assert_eq!(Horizon::new(Timestamp::MAX, SignedDuration::MAX).latest(), Timestamp::MAX);
    }
}
