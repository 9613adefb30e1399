//! How far ahead a stored instant is believed. A clock that is wrong for a moment writes instants that lie ahead once it is right
//! again; what lies further ahead than a right clock can have written counts as now, so that nobody waits for it.

use jiff::{SignedDuration, Timestamp};

/// How far the clocks of two instances may be apart.
pub(crate) const CLOCKS_APART_MAX: SignedDuration = SignedDuration::from_secs(60);

/// An instant so much later, or the last that there is.
pub(crate) fn later(instant: Timestamp, by: SignedDuration) -> Timestamp {
    instant.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// An instant so much earlier, or the first that there is.
pub(crate) fn earlier(instant: Timestamp, by: SignedDuration) -> Timestamp {
    instant.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

/// Now, and the latest instant that another instance can have written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    now: Timestamp,
    latest: Timestamp,
}

impl Horizon {
    /// For instants that are written at most `ahead_max` ahead.
    pub(crate) fn new(now: Timestamp, ahead_max: SignedDuration) -> Self {
        let ahead_max = ahead_max.saturating_add(CLOCKS_APART_MAX);
        Self { now, latest: later(now, ahead_max) }
    }

    /// The present instant.
    pub(crate) fn now(self) -> Timestamp {
        self.now
    }

    /// The latest instant that is believed, for SQL to compare with.
    pub(crate) fn latest(self) -> Timestamp {
        self.latest
    }

    /// Whether only a clock that was wrong can have written this.
    pub(crate) fn is_beyond(self, instant: Timestamp) -> bool {
        instant > self.latest
    }

    /// The instant, or now in place of one that is not believed.
    pub(crate) fn believe(self, instant: Timestamp) -> Timestamp {
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
            assert_eq!(horizon.believe(ahead(seconds)), ahead(seconds), "{seconds}");
        }
        for seconds in [961, 86_400] {
            assert_eq!(horizon.believe(ahead(seconds)), now, "{seconds}");
        }
        assert_eq!(Horizon::new(Timestamp::MAX, SignedDuration::MAX).latest(), Timestamp::MAX);
    }
}
