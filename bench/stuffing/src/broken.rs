//! Decides what ends the run: something that is broken, not a goal that was missed.

use std::fmt;

/// Why there are no figures, in words.
pub(crate) struct Broken(pub(crate) String);

pub(crate) type Outcome<T> = Result<T, Broken>;

impl<E: std::error::Error> From<E> for Broken {
    /// With the chain of causes.
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

/// Says what was being done when it broke.
pub(crate) trait While<T> {
    fn doing(self, what: impl fmt::Display) -> Outcome<T>;
}

impl<T, E: Into<Broken>> While<T> for Result<T, E> {
    fn doing(self, what: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| {
            let Broken(text) = error.into();
            Broken(format!("{what}: {text}"))
        })
    }
}
