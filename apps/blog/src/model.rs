//! Posts and their parts, each parsed once, and cursors into lists of posts.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::http::fields::{Invalid, text_of_length};
use countersign::model::{Profile, UserId, shows_something};
use jiff::Timestamp;
use uuid::Uuid;

countersign::entity_id!(
    /// The ID of a post.
    pub(crate) PostId
);

/// A post with its author.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) id: PostId,
    pub(crate) author: Profile,
    pub(crate) title: String,
    pub(crate) content: String,
    pub(crate) date_posted: Timestamp,
    /// When it was last edited, if ever.
    pub(crate) date_edited: Option<Timestamp>,
}

impl Post {
    /// Returns when it was last changed.
    pub(crate) fn updated(&self) -> Timestamp {
        self.date_edited.unwrap_or(self.date_posted)
    }

    /// Returns the post's cursor, which is the same in every list.
    pub(crate) fn place(&self) -> Cursor {
        Cursor { date_posted: self.date_posted, id: self.id }
    }
}

/// A valid title: 1 to 100 characters, at least one of them visible, because titles are link texts. Kept as sent.
#[derive(Clone, Debug)]
pub(crate) struct Title(String);

impl Title {
    pub(crate) const CHARS_MAX: usize = 100;

    pub(crate) fn parse(text: &str) -> Result<Self, InvalidTitle> {
        let text = text_of_length(text, 1, Self::CHARS_MAX).map_err(InvalidTitle::Length)?;
        if shows_something(&text) { Ok(Self(text)) } else { Err(InvalidTitle::Blank) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Why a text is not a valid title.
#[derive(Debug)]
pub(crate) enum InvalidTitle {
    /// It is empty, or longer than 100 characters.
    Length(Invalid),
    /// It has no visible character.
    Blank,
}

impl From<InvalidTitle> for Invalid {
    fn from(invalid: InvalidTitle) -> Self {
        match invalid {
            InvalidTitle::Length(invalid) => invalid,
            InvalidTitle::Blank => Self::new("string_too_short", "Title should have at least 1 visible character"),
        }
    }
}

/// A valid content: not empty, at most 1 MiB in UTF-8, kept as sent.
#[derive(Clone, Debug)]
pub(crate) struct Content(String);

impl Content {
    /// Enough for the 100,000 characters promised to clients, in any script.
    pub(crate) const BYTES_MAX: usize = 1 << 20;

    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > Self::BYTES_MAX {
            return Err(Invalid::new("string_too_long", "String should have at most 1 MiB in UTF-8"));
        }
        text_of_length(text, 1, usize::MAX).map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// A new post that has no author yet.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) title: Title,
    pub(crate) content: Content,
}

/// Changes of a post; `None` leaves a part unchanged.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    pub(crate) title: Option<Title>,
    pub(crate) content: Option<Content>,
}

impl From<Draft> for Changes {
    fn from(draft: Draft) -> Self {
        Self { title: Some(draft.title), content: Some(draft.content) }
    }
}

/// The posts that a list contains.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scope {
    Everyone,
    Author(UserId),
}

/// A position in a list of posts: that of the post with this time and ID, whether or not it still exists.
///
/// Its text is the base64url encoding (RFC 4648, section 5), without padding, of the time in microseconds and the ID,
/// both big-endian. Clients treat it as opaque. It is only compared, so it needs no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cursor {
    pub(crate) date_posted: Timestamp,
    pub(crate) id: PostId,
}

const TIME_BYTES: usize = 8;
const ID_BYTES: usize = 16;

impl Cursor {
    /// Returns the position before all posts.
    pub(crate) fn newest() -> Self {
        Self { date_posted: Timestamp::MAX, id: PostId::from(Uuid::max()) }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; TIME_BYTES + ID_BYTES];
        bytes[..TIME_BYTES].copy_from_slice(&self.date_posted.as_microsecond().to_be_bytes());
        bytes[TIME_BYTES..].copy_from_slice(self.id.uuid().as_bytes());
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

/// The text is not a cursor that this program issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor")]
pub(crate) struct InvalidCursor;

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let (time, id) = bytes.split_first_chunk::<TIME_BYTES>().ok_or(InvalidCursor)?;
        let date_posted = Timestamp::from_microsecond(i64::from_be_bytes(*time)).map_err(|_| InvalidCursor)?;
        let id = Uuid::from_slice(id).map_err(|_| InvalidCursor)?;
        Ok(Self { date_posted, id: id.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(microsecond: i64, id: u128) -> Cursor {
        Cursor { date_posted: Timestamp::from_microsecond(microsecond).unwrap(), id: Uuid::from_u128(id).into() }
    }

    #[test]
    fn a_cursor_reads_back_what_it_wrote() {
        for cursor in [cursor(0, 0), cursor(-1, 1), cursor(1_700_000_000_123_456, u128::MAX)] {
            let text = cursor.to_string();
            assert_eq!(text.len(), 32);
            assert_eq!(text.parse(), Ok(cursor));
        }
    }

    #[test]
    fn what_is_not_exactly_a_cursor_is_refused() {
        let good = cursor(1_700_000_000_123_456, 7).to_string();
        let cases = [
            String::new(),
            good[1..].to_owned(),
            format!("{good}A"),
            format!("{good}AAAA"),
            format!("{good}="),
            format!(" {good}"),
            "f".repeat(32), // a time far outside the calendar
            "+".repeat(32),
            "é".repeat(16),
        ];
        for text in cases {
            assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
