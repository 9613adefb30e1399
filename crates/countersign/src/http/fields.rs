//! The fields of a request: each is parsed once into its type, and all errors are reported together.

mod body;
mod json;
pub(crate) mod multipart;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

pub use self::body::{FormBody, JsonBody};
pub(crate) use self::body::{refuse_encoded, wrong_type};
use self::json::Value;
// The error type of a host's own field parsers.
pub use super::problem::Invalid;
use super::problem::{FieldFault, Place, Problem};

/// Returns the text unchanged if it has between `min` and `max` characters (Unicode code points).
pub fn text_of_length(text: &str, min: usize, max: usize) -> Result<String, Invalid> {
    let length = text.chars().count();
    let characters = |n: usize| if n == 1 { "1 character".to_owned() } else { format!("{n} characters") };
    if length < min {
        Err(Invalid::new("string_too_short", format!("String should have at least {}", characters(min))))
    } else if length > max {
        Err(Invalid::new("string_too_long", format!("String should have at most {}", characters(max))))
    } else {
        Ok(text.to_owned())
    }
}

/// Parses a whole number between `min` and `max`.
pub fn integer_in(text: &str, min: i64, max: i64) -> Result<i64, Invalid> {
    let number: i64 = text.parse().map_err(|_| {
        Invalid::new("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
    })?;
    if number < min {
        Err(Invalid::new("greater_than_equal", format!("Input should be greater than or equal to {min}")))
    } else if number > max {
        Err(Invalid::new("less_than_equal", format!("Input should be less than or equal to {max}")))
    } else {
        Ok(number)
    }
}

/// The field is invalid; [`Fields::into_problem`] says why.
#[derive(Clone, Copy, Debug)]
pub struct InvalidField;

/// The fields of a request, not yet parsed.
pub struct Fields {
    place: Place,
    given: Vec<(String, Value)>,
    /// The error for a missing field.
    missing: Invalid,
    faults: Vec<FieldFault>,
}

impl Fields {
    /// Parses a required field.
    pub fn required<T, E: Into<Invalid>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, InvalidField> {
        let read = match self.find(name) {
            Ok(Some(Value::Text(text))) => parse(text).map_err(Into::into),
            Ok(None) => Err(self.missing.clone()),
            Ok(Some(_)) => Err(Invalid::new("string_type", "Input should be a valid string")),
            Err(invalid) => Err(invalid),
        };
        self.note(name, read)
    }

    /// Parses a field that may be missing or null.
    pub fn optional<T, E: Into<Invalid>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, InvalidField> {
        match self.find(name) {
            Ok(None | Some(Value::Null)) => Ok(None),
            _ => self.required(name, parse).map(Some),
        }
    }

    /// Returns all errors as a problem.
    pub fn into_problem(self) -> Problem {
        Problem::fields(self.faults)
    }

    /// Returns the first text of this name, even if it is invalid.
    pub(crate) fn as_sent(&self, name: &str) -> Option<&str> {
        self.given.iter().find_map(|(given, value)| match value {
            Value::Text(text) if given == name => Some(text.as_str()),
            _ => None,
        })
    }

    fn find(&self, name: &str) -> Result<Option<&Value>, Invalid> {
        let mut found = self.given.iter().filter(|(given, _)| given == name).map(|(_, value)| value);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(Invalid::value("the field appears more than once")),
            // PostgreSQL columns cannot hold NUL, and bcrypt stops at it.
            (Some(Value::Text(text)), _) if text.contains('\0') => {
                Err(Invalid::value("NUL characters are not accepted"))
            }
            (value, _) => Ok(value),
        }
    }

    fn note<T>(&mut self, name: &'static str, read: Result<T, Invalid>) -> Result<T, InvalidField> {
        read.map_err(|invalid| {
            self.faults.push(FieldFault::new(self.place, name, invalid));
            InvalidField
        })
    }

    fn of_pairs(place: Place, given: Vec<(String, Value)>) -> Self {
        Self { place, given, missing: Invalid::missing(), faults: Vec::new() }
    }
}

/// The parameters of the query.
pub struct QueryFields(pub Fields);

impl<S: Send + Sync> FromRequestParts<S> for QueryFields {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let pairs = form_pairs(parts.uri.query().unwrap_or_default());
        let pairs = pairs.ok_or_else(|| fault_of(Place::Query, Invalid::value("the query is not UTF-8")))?;
        let given = pairs.into_iter().map(|(name, value)| (name, Value::Text(value))).collect();
        Ok(Self(Fields::of_pairs(Place::Query, given)))
    }
}

/// Returns the problem for a body or query that is invalid as a whole.
fn fault_of(place: Place, invalid: Invalid) -> Problem {
    Problem::fields(vec![FieldFault::of_whole(place, invalid)])
}

/// Parses the pairs of a query or a form; `None` if one is not UTF-8.
fn form_pairs(text: &str) -> Option<Vec<(String, Zeroizing<String>)>> {
    let decode = |text: &str| {
        let spaced = Zeroizing::new(text.replace('+', " "));
        percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, Zeroizing::new(decode(value)?)))
        })
        .collect()
}
