//! The error that aborts a part: an unexpected condition, as opposed to a broken promise, which is counted.

use std::fmt;

/// The reason for a missing verdict.
#[derive(Debug)]
pub(crate) struct Broken(pub(crate) String);

pub(crate) type Outcome<T> = Result<T, Broken>;

impl<E: std::error::Error> From<E> for Broken {
    /// Includes the chain of causes.
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self(text)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
