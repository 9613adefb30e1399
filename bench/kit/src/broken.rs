//! The one error of the benchmarks: something is broken, so there are no figures. A missed goal is not an error.

use std::fmt;

/// Why there are no figures, in words.
#[derive(Debug)]
pub struct Broken(pub String);

pub type Outcome<T> = Result<T, Broken>;

/// An error with this text.
pub fn broken<T>(text: impl Into<String>) -> Outcome<T> {
    Err(Broken(text.into()))
}

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
pub trait While<T> {
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
