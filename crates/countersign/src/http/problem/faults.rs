//! The optional parts of a problem's body: errors of the request's fields, and a challenge for a proof of work.
//!
//! They are here so that problems do not depend on the code that reads fields or issues challenges.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::{Challenge, InvalidEmailAddress, InvalidId, InvalidOneTimeCode, InvalidPassword, InvalidUsername};

/// The part of the request that a field belongs to; the first element of an error's `loc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// The body.
    Body,
    /// The query.
    Query,
    /// The path.
    Path,
}

impl Place {
    fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Query => "query",
            Self::Path => "path",
        }
    }
}

/// Why a text is not a valid value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    kind: &'static str,
    message: String,
}

impl Invalid {
    /// Makes an error with this `type` and `msg`; the message never repeats the text.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn value(message: impl fmt::Display) -> Self {
        Self::new("value_error", format!("Value error, {message}"))
    }

    pub(crate) fn missing() -> Self {
        Self::new("missing", "Field required")
    }
}

impl From<InvalidId> for Invalid {
    fn from(invalid: InvalidId) -> Self {
        Self::new("uuid_parsing", invalid.to_string())
    }
}

impl From<InvalidUsername> for Invalid {
    fn from(invalid: InvalidUsername) -> Self {
        match invalid {
            InvalidUsername::Blank => Self::new("string_too_short", invalid.to_string()),
            InvalidUsername::TooLong => Self::new("string_too_long", invalid.to_string()),
            InvalidUsername::Unprintable | InvalidUsername::Stacked | InvalidUsername::AtSign => Self::value(invalid),
        }
    }
}

impl From<InvalidEmailAddress> for Invalid {
    fn from(invalid: InvalidEmailAddress) -> Self {
        Self::new("value_error", invalid.to_string())
    }
}

impl From<InvalidOneTimeCode> for Invalid {
    fn from(invalid: InvalidOneTimeCode) -> Self {
        Self::value(invalid)
    }
}

impl From<InvalidPassword> for Invalid {
    fn from(invalid: InvalidPassword) -> Self {
        match invalid {
            InvalidPassword::TooShort => Self::new("string_too_short", invalid.to_string()),
            InvalidPassword::TooLong => Self::new("string_too_long", invalid.to_string()),
        }
    }
}

/// An error of one field in the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldFault {
    /// The kind of error, for programs.
    #[serde(rename = "type")]
    #[schema(rename = "type", example = "missing")]
    kind: &'static str,
    /// The place (`body`, `query` or `path`) and the field.
    #[schema(example = json!(["body", "email"]))]
    loc: Vec<&'static str>,
    /// What is wrong, for people.
    #[schema(example = "Field required")]
    msg: String,
}

impl FieldFault {
    /// Makes an error of the field `name`.
    pub fn new(place: Place, name: &'static str, invalid: Invalid) -> Self {
        Self { kind: invalid.kind, loc: vec![place.as_str(), name], msg: invalid.message }
    }

    /// Makes an error of the whole body, query or path.
    pub(crate) fn of_whole(place: Place, invalid: Invalid) -> Self {
        Self { kind: invalid.kind, loc: vec![place.as_str()], msg: invalid.message }
    }

    /// `body.email: Field required`
    pub(super) fn in_words(&self) -> String {
        format!("{}: {}", self.loc.join("."), self.msg)
    }
}

/// A proof of work to solve: find a decimal number for which the SHA-256 of `<challenge>:<number>` begins with `bits` zero bits,
/// and send `<challenge>:<number>` as `challenge_solution`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChallengeResponse {
    /// Opaque; can be used once.
    challenge: String,
    /// The required number of leading zero bits.
    #[schema(minimum = 0, maximum = 24, example = 18)]
    bits: u8,
    /// `sha-256`
    #[schema(example = "sha-256")]
    algorithm: &'static str,
    /// Lifetime of the challenge, in seconds.
    #[schema(minimum = 0, example = 300)]
    expires_in: i64,
}

impl From<Challenge> for ChallengeResponse {
    fn from(Challenge { text, bits, expires_in }: Challenge) -> Self {
        Self { challenge: text, bits, algorithm: "sha-256", expires_in: expires_in.as_secs() }
    }
}
