//! The report of invalid settings: every problem at once, and never a secret.

use std::fmt;

use super::sources::Origin;

/// Characters of a bad value that are shown, enough to recognise it.
const SHOWN_CHARS_MAX: usize = 80;

/// One problem to fix.
pub(crate) struct Problem {
    /// The setting that is unusable because of it, if there is one.
    pub(crate) setting: Option<String>,
    subject: String,
    text: String,
}

impl Problem {
    /// A problem of a setting; `text` continues after its name.
    pub(crate) fn of_setting(name: &str, origin: Option<&Origin>, text: String) -> Self {
        let subject = match origin {
            Some(origin) => format!("{name} ({origin})"),
            None => name.to_owned(),
        };
        Self { setting: Some(name.to_owned()), subject, text }
    }

    /// A problem of a file; `text` continues after its name.
    pub(crate) fn of_file(place: &str, text: String) -> Self {
        Self { setting: None, subject: place.to_owned(), text }
    }

    /// Marks the setting `name` as unusable because of this problem.
    pub(crate) fn blocking(self, name: &str) -> Self {
        Self { setting: Some(name.to_owned()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.text)
    }
}

/// All problems found in one load.
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

/// Quotes a bad value and escapes control characters, which could disturb a terminal.
pub(crate) fn quote(value: &str) -> String {
    let mut shown: String = value.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
    if value.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
