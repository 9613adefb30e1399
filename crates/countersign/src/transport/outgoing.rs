//! A mail before it is sent, built so that nothing in it can end a header early.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use crate::model::EmailAddress;

/// A single line for a header: no line break or other control character, at most 200 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderText(String);

const HEADER_CHARACTERS_MAX: usize = 200;

impl HeaderText {
    /// Makes one of any text: replaces control characters by spaces and truncates.
    pub fn new(text: &str) -> Self {
        // Unicode's line and paragraph separators are not control characters.
        let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        let clean: String =
            text.chars().take(HEADER_CHARACTERS_MAX).map(|c| if is_break(c) { ' ' } else { c }).collect();
        Self(clean.trim().to_owned())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The sender of a mail.
#[derive(Clone)]
#[non_exhaustive]
pub struct Sender {
    /// The display name.
    pub name: Option<HeaderText>,
    /// The address.
    pub address: EmailAddress,
}

impl Sender {
    /// A sender with this address and, if given, a name.
    pub fn new(name: Option<HeaderText>, address: EmailAddress) -> Self {
        Self { name, address }
    }
}

impl fmt::Display for Sender {
    /// Formats the sender as in the setting: the address, or `Name <address>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.as_str();
        match &self.name {
            Some(name) => write!(f, "{} <{address}>", name.as_str()),
            None => f.write_str(address),
        }
    }
}

/// A mail, ready to be sent. It cannot be printed, because its links and codes are secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct OutgoingMail {
    /// The id, which stays the same when the mail is sent again.
    pub id: Uuid,
    /// The right side of the message id: the site's host.
    pub host: String,
    /// When it was rendered.
    pub date: Timestamp,
    /// The sender.
    pub from: Sender,
    /// The recipient.
    pub to: EmailAddress,
    /// The subject.
    pub subject: HeaderText,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

impl OutgoingMail {
    /// Returns the `Message-ID` (RFC 5322, section 3.6.4), which stays the same when this mail is sent again.
    pub fn message_id(&self) -> String {
        format!("<{}@{}>", self.id, self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_a_header() {
        for text in ["A\r\nBcc: x@example.com", "A\nBcc: x@example.com", "A\rB", "A\u{0}B", "A\u{85}B", "A\u{2028}B"] {
            let kept = HeaderText::new(text);
            assert!(!kept.as_str().contains(char::is_control) && !kept.as_str().contains('\u{2028}'), "{text:?}");
        }
        assert_eq!(HeaderText::new(&"ä".repeat(300)).as_str().chars().count(), 200);
    }
}
