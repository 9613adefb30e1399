//! Decides how an instant is stored: whole microseconds since 1970 in UTC, a 64-bit integer in both databases.

use jiff::Timestamp;

/// An instant as a column holds it (`INTEGER` in SQLite, `BIGINT` in PostgreSQL).
///
/// PostgreSQL's own type keeps microseconds and SQLite has none, so a number that both keep exactly is the only form
/// in which the two cannot differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct DbTime(i64);

impl DbTime {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub fn microseconds(self) -> i64 {
        self.0
    }

    /// The instant, or `None` when the number lies outside the calendar (years −9999 to 9999).
    pub fn timestamp(self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.0).ok()
    }
}

impl From<Timestamp> for DbTime {
    /// Cuts what is finer than a microsecond.
    fn from(timestamp: Timestamp) -> Self {
        Self(timestamp.as_microsecond())
    }
}
