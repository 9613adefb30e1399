//! The fields of a request: each is parsed once into its type, and all faults are told at once.

mod json;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use self::json::{JsonText, Value};
// What a parser of a host's own fields answers.
pub use super::problem::Invalid;
use super::problem::{FieldFault, PAYLOAD_TOO_LARGE, Place, Problem, UNREADABLE_BODY, UNSUPPORTED_MEDIA_TYPE};

/// The text unchanged, if it has between `min` and `max` characters (Unicode code points).
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

/// A whole number between `min` and `max`.
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

/// The field is at fault; [`Fields::into_problem`] tells why.
#[derive(Clone, Copy, Debug)]
pub struct AtFault;

/// The fields of a request that have not been parsed yet.
pub struct Fields {
    place: Place,
    given: Vec<(String, Value)>,
    faults: Vec<FieldFault>,
}

impl Fields {
    /// Reads a field that has to be there.
    pub fn required<T, E: Into<Invalid>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, AtFault> {
        let read = match self.find(name) {
            Ok(Some(Value::Text(text))) => parse(text).map_err(Into::into),
            Ok(None) => Err(Invalid::missing()),
            Ok(Some(_)) => Err(Invalid::new("string_type", "Input should be a valid string")),
            Err(invalid) => Err(invalid),
        };
        self.note(name, read)
    }

    /// Reads a field that may be missing or null.
    pub fn optional<T, E: Into<Invalid>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, AtFault> {
        match self.find(name) {
            Ok(None | Some(Value::Null)) => Ok(None),
            _ => self.required(name, parse).map(Some),
        }
    }

    /// Everything that was wrong.
    pub fn into_problem(self) -> Problem {
        Problem::fields(self.faults)
    }

    fn find(&self, name: &str) -> Result<Option<&Value>, Invalid> {
        let mut found = self.given.iter().filter(|(given, _)| given == name).map(|(_, value)| value);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => Err(Invalid::value("the field is given more than once")),
            // No column of PostgreSQL can hold it, and bcrypt ends at it.
            (Some(Value::Text(text)), _) if text.contains('\0') => {
                Err(Invalid::value("NUL characters are not accepted"))
            }
            (value, _) => Ok(value),
        }
    }

    fn note<T>(&mut self, name: &'static str, read: Result<T, Invalid>) -> Result<T, AtFault> {
        read.map_err(|invalid| {
            self.faults.push(FieldFault::new(self.place, name, invalid));
            AtFault
        })
    }

    fn of_pairs(place: Place, given: Vec<(String, Value)>) -> Self {
        Self { place, given, faults: Vec::new() }
    }
}

/// The members of the JSON object in the body; no member at any depth is given twice.
pub struct JsonBody(pub Fields);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let typed = media_type(request.headers()).map(|found| found == "application/json" || found.ends_with("+json"));
        if typed == Some(false) {
            return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE));
        }
        let body = read_body(request, state).await?;
        if body.is_empty() {
            return Err(fault_of(Place::Body, Invalid::missing()));
        }
        if typed.is_none() {
            return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE));
        }
        match serde_json::from_slice::<JsonText>(&body) {
            Ok(JsonText::Object(given)) => Ok(Self(Fields::of_pairs(Place::Body, given))),
            Ok(JsonText::Value(_)) => {
                Err(fault_of(Place::Body, Invalid::new("model_attributes_type", "Input should be a valid object")))
            }
            Err(error) if error.is_data() => {
                Err(fault_of(Place::Body, Invalid::new("json_invalid", "A member is given more than once")))
            }
            Err(_) => Err(fault_of(Place::Body, Invalid::new("json_invalid", "JSON decode error"))),
        }
    }
}

/// The pairs of a form in the body (`application/x-www-form-urlencoded`); one without a value counts as left out
/// (RFC 6749, section 3.2). A body of another type has no pairs.
pub struct FormBody(pub Fields);

impl<S: Send + Sync> FromRequest<S> for FormBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let is_form = media_type(request.headers()).is_some_and(|found| found == "application/x-www-form-urlencoded");
        let body = read_body(request, state).await?;
        let text = if is_form { std::str::from_utf8(&body).ok() } else { Some("") };
        let pairs = text.and_then(form_pairs);
        let pairs = pairs.ok_or_else(|| fault_of(Place::Body, Invalid::value("the body is not UTF-8")))?;
        let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
        Ok(Self(Fields::of_pairs(Place::Body, pairs.map(|(name, value)| (name, Value::Text(value))).collect())))
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

/// The only fault of a request: its body or query as a whole.
fn fault_of(place: Place, invalid: Invalid) -> Problem {
    Problem::fields(vec![FieldFault::of_whole(place, invalid)])
}

/// The pairs of a query or a form; `None` when one is not UTF-8.
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

/// The media type without its parameters, in lower case.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

async fn read_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => Problem::new(&PAYLOAD_TOO_LARGE),
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Problem::new(&PAYLOAD_TOO_LARGE),
        _ => Problem::new(&UNREADABLE_BODY),
    })
}
