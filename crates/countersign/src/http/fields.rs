//! Decides how the fields of a request are read: each parsed once into its type, all faults told at once.

use std::collections::BTreeSet;
use std::fmt;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::problem::{PAYLOAD_TOO_LARGE, Problem, UNREADABLE_BODY, UNSUPPORTED_MEDIA_TYPE};
use crate::model::{InvalidEmailAddress, InvalidId, InvalidPassword, InvalidUsername};

/// Where a field was looked for; the first element of a fault's `loc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Why a text is not a field's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    kind: &'static str,
    message: String,
}

impl Invalid {
    /// With the `type` and the `msg` of a fault; the message never repeats the text.
    pub fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(super) fn value(message: impl fmt::Display) -> Self {
        Self::new("value_error", format!("Value error, {message}"))
    }

    pub(super) fn missing() -> Self {
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
            InvalidUsername::Unprintable | InvalidUsername::AtSign => Self::value(invalid),
        }
    }
}

impl From<InvalidEmailAddress> for Invalid {
    fn from(invalid: InvalidEmailAddress) -> Self {
        Self::new("value_error", invalid.to_string())
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

/// A text of so many characters (Unicode code points), as it is.
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

/// One fault of a request's fields on the wire.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldFault {
    /// The kind of fault, for programs.
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
    /// A fault of the field `name`.
    pub fn new(place: Place, name: &'static str, invalid: Invalid) -> Self {
        Self { kind: invalid.kind, loc: vec![place.as_str(), name], msg: invalid.message }
    }

    /// A fault of the body as a whole.
    fn of_body(kind: &'static str, message: &str) -> Problem {
        Problem::fields(vec![Self { kind, loc: vec![Place::Body.as_str()], msg: message.to_owned() }])
    }

    /// `body.email: Field required`
    pub(super) fn in_words(&self) -> String {
        format!("{}: {}", self.loc.join("."), self.msg)
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

enum Value {
    /// It may be a password.
    Text(Zeroizing<String>),
    Null,
    /// A number, a list, whatever is no text.
    Other,
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
            return Err(FieldFault::of_body("missing", "Field required"));
        }
        if typed.is_none() {
            return Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE));
        }
        match serde_json::from_slice::<Json>(&body) {
            Ok(Json::Object(given)) => Ok(Self(Fields::of_pairs(Place::Body, given))),
            Ok(Json::Value(_)) => Err(FieldFault::of_body("model_attributes_type", "Input should be a valid object")),
            Err(error) if error.is_data() => {
                Err(FieldFault::of_body("json_invalid", "A member is given more than once"))
            }
            Err(_) => Err(FieldFault::of_body("json_invalid", "JSON decode error")),
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
        let pairs = text.and_then(form_pairs).ok_or_else(not_utf8)?;
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
        let pairs = pairs.ok_or_else(|| {
            let invalid = Invalid::value("the query is not UTF-8");
            Problem::fields(vec![FieldFault {
                kind: invalid.kind,
                loc: vec![Place::Query.as_str()],
                msg: invalid.message,
            }])
        })?;
        let given = pairs.into_iter().map(|(name, value)| (name, Value::Text(value))).collect();
        Ok(Self(Fields::of_pairs(Place::Query, given)))
    }
}

fn not_utf8() -> Problem {
    FieldFault::of_body("value_error", "Value error, the body is not UTF-8")
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

/// A JSON text, as far as it matters: its members if it is an object, whose names must differ at every depth. The parser
/// bounds the depth.
enum Json {
    Object(Vec<(String, Value)>),
    Value(Value),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated members")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = match map.next_value::<Json>()? {
                Json::Object(_) => Value::Other,
                Json::Value(value) => value,
            };
            if !names.insert(name.clone()) {
                return Err(de::Error::custom("a member is given more than once"));
            }
            members.push((name, value));
        }
        Ok(Json::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        while seq.next_element::<Json>()?.is_some() {}
        Ok(Json::Value(Value::Other))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Value(Value::Text(Zeroizing::new(text.to_owned()))))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Value(Value::Text(Zeroizing::new(text))))
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Value(Value::Null))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Value(Value::Other))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Value(Value::Other))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Value(Value::Other))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Value(Value::Other))
    }
}
