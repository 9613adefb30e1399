//! Reads a body into fields: which media types are accepted, and the errors for others. Separate from the fields, which do not know
//! where they come from.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use zeroize::Zeroizing;

use super::json::{JsonText, Value};
use super::multipart::{Event, Multipart, PartKind};
use super::{Fields, Invalid, fault_of, form_pairs};
use crate::http::problem::{PAYLOAD_TOO_LARGE, Place, Problem, UNREADABLE_BODY, UNSUPPORTED_MEDIA_TYPE};

const JSON: &str = "application/json";
const URL_ENCODED: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";
const FORMS: &str = "application/x-www-form-urlencoded or multipart/form-data";
/// Maximum length of the sent media type in an error message, in characters.
const TYPE_CHARACTERS_MAX: usize = 100;

/// The members of the JSON object in the body; repeated members are rejected at any depth.
pub struct JsonBody(pub Fields);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let sent = media_type(request.headers());
        refuse_encoded(request.headers())?;
        if sent.as_deref().is_some_and(|sent| !is_json(sent)) {
            return Err(unsupported(JSON, sent.as_deref()));
        }
        let body = read_body(request, state).await?;
        if body.is_empty() {
            return Err(fault_of(Place::Body, Invalid::missing()));
        }
        if sent.is_none() {
            return Err(unsupported(JSON, None));
        }
        match serde_json::from_slice::<JsonText>(without_mark(&body)) {
            Ok(JsonText::Object(given)) => Ok(Self(Fields::of_pairs(Place::Body, given))),
            Ok(JsonText::Value(_)) => {
                Err(fault_of(Place::Body, Invalid::new("model_attributes_type", "Input should be a valid object")))
            }
            Err(error) if error.is_data() => {
                Err(fault_of(Place::Body, Invalid::new("json_invalid", "A member appears more than once")))
            }
            Err(_) => Err(fault_of(Place::Body, Invalid::new("json_invalid", "JSON decode error"))),
        }
    }
}

/// Strips a byte order mark, which some programs write before UTF-8 (RFC 8259, section 8.1).
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body)
}

/// The pairs of a form in the body (`application/x-www-form-urlencoded` or `multipart/form-data`); an empty value counts as missing
/// (RFC 6749, section 3.2). A JSON body has no pairs, and the error of each required field says why.
pub struct FormBody(pub Fields);

impl<S: Send + Sync> FromRequest<S> for FormBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let content_type = content_type(request.headers()).to_owned();
        let sent = media_type(request.headers());
        refuse_encoded(request.headers())?;
        let body = read_body(request, state).await?;
        let given = match sent.as_deref() {
            Some(URL_ENCODED) => {
                let pairs = std::str::from_utf8(&body).ok().and_then(form_pairs).ok_or_else(not_utf8)?;
                pairs.into_iter().map(|(name, value)| (name, Value::Text(value))).collect()
            }
            Some(MULTIPART) => parts(&content_type, &body)?,
            None if body.is_empty() => Vec::new(),
            // The API's contract has a 422 only for JSON.
            Some(json) if is_json(json) => {
                let missing = Invalid::new("missing", wrong_type(FORMS, Some(json)));
                return Ok(Self(Fields { missing, ..Fields::of_pairs(Place::Body, Vec::new()) }));
            }
            other => return Err(unsupported(FORMS, other)),
        };
        let is_filled_in = |(_, value): &(String, Value)| !matches!(value, Value::Text(text) if text.is_empty());
        Ok(Self(Fields::of_pairs(Place::Body, given.into_iter().filter(is_filled_in).collect())))
    }
}

/// Parses the parts of a body in memory; of a file only its presence is kept.
fn parts(content_type: &str, body: &[u8]) -> Result<Vec<(String, Value)>, Problem> {
    let mut multipart = Multipart::of_type(content_type).ok_or_else(|| Problem::new(&UNREADABLE_BODY))??;
    let mut parts = Vec::new();
    multipart.push(body, |event| {
        match event {
            Event::Part(head) => parts.push((head, Zeroizing::new(Vec::new()))),
            Event::Data(data) => {
                if let Some((_, content)) = parts.last_mut() {
                    content.extend_from_slice(data);
                }
            }
        }
        Ok::<(), Problem>(())
    })?;
    if !multipart.is_finished() {
        return Err(Problem::new(&UNREADABLE_BODY));
    }
    let named = parts.into_iter().filter_map(|(head, content)| Some((head.name?, head.kind, content)));
    named
        .map(|(name, kind, content)| match (kind, std::str::from_utf8(&content)) {
            (PartKind::File, _) => Ok((name, Value::Other)),
            (PartKind::Text, Ok(text)) => Ok((name, Value::Text(Zeroizing::new(text.to_owned())))),
            (PartKind::Text, Err(_)) => Err(not_utf8()),
        })
        .collect()
}

fn not_utf8() -> Problem {
    fault_of(Place::Body, Invalid::value("the body is not UTF-8"))
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Returns the media type without its parameters, in lower case; `None` if the request has none.
fn media_type(headers: &HeaderMap) -> Option<String> {
    headers.contains_key(CONTENT_TYPE).then(|| essence(content_type(headers)))
}

fn essence(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(media_type: &str) -> bool {
    media_type == JSON || media_type.ends_with("+json")
}

/// Says which media type was expected and which was sent.
pub(crate) fn wrong_type(expected: &str, content_type: Option<&str>) -> String {
    let sent: String = content_type.map(essence).unwrap_or_default().chars().take(TYPE_CHARACTERS_MAX).collect();
    let sent = if sent.is_empty() { "a body without Content-Type" } else { &sent };
    format!("Expected {expected}, not {sent}")
}

fn unsupported(expected: &str, sent: Option<&str>) -> Problem {
    Problem::new(&UNSUPPORTED_MEDIA_TYPE).detail(wrong_type(expected, sent))
}

/// Rejects encoded bodies: a compressed body can expand a thousandfold.
pub(crate) fn refuse_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    let codings = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("unreadable"));
    let mut codings = codings.flat_map(|line| line.split(',')).map(str::trim);
    match codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity")) {
        None => Ok(()),
        Some(coding) => {
            let coding: String = coding.chars().take(TYPE_CHARACTERS_MAX).collect();
            let detail = format!("Expected a body without Content-Encoding, not {coding}");
            Err(Problem::new(&UNSUPPORTED_MEDIA_TYPE).detail(detail).without_encoding())
        }
    }
}

async fn read_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => Problem::new(&PAYLOAD_TOO_LARGE),
        other if other.status() == StatusCode::PAYLOAD_TOO_LARGE => Problem::new(&PAYLOAD_TOO_LARGE),
        _ => Problem::new(&UNREADABLE_BODY),
    })
}
