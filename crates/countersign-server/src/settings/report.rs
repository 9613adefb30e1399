//! Decides what an operator reads about settings that will not do: every problem at once, and never a secret.

use std::fmt;

use super::sources::Origin;

/// More of a bad value is not needed to recognise it.
const SHOWN_CHARS_MAX: usize = 80;

/// One thing to put right.
pub(crate) struct Problem {
    /// The setting that cannot be used for it, if it is about one.
    pub(crate) setting: Option<String>,
    subject: String,
    text: String,
}

impl Problem {
    /// About a setting; `text` goes on after the name.
    pub(crate) fn of_setting(name: &str, origin: Option<&Origin>, text: String) -> Self {
        let subject = match origin {
            Some(origin) => format!("{name} ({origin})"),
            None => name.to_owned(),
        };
        Self { setting: Some(name.to_owned()), subject, text }
    }

    /// About a file; `text` goes on after its name.
    pub(crate) fn of_file(place: &str, text: String) -> Self {
        Self { setting: None, subject: place.to_owned(), text }
    }

    /// Says that it is the setting `name` which cannot be used.
    pub(crate) fn blocking(self, name: &str) -> Self {
        Self { setting: Some(name.to_owned()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.text)
    }
}

/// All problems of one reading.
pub(crate) struct Report(pub(crate) Vec<Problem>);

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "1 problem in the settings:")?,
            n => writeln!(f, "{n} problems in the settings:")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// A bad value, quoted so that it cannot disturb a terminal.
pub(crate) fn quote(value: &str) -> String {
    let mut shown: String = value.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if value.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
