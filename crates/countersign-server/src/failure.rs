//! The error of commands and of scheduled backups.

use std::error::Error;

/// Why a command failed, in words for the user.
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    /// Includes the chain of causes, because the last one often matters most.
    pub(crate) fn of(error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        Self(text)
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::of(&error)
    }
}
