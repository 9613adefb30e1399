//! Uploaded pictures, from the storage.

use std::ops::Range;
#[cfg(feature = "s3")]
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
#[cfg(feature = "s3")]
use axum::http::header::LOCATION;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::{INERT, not_found};
use crate::Accounts;
use crate::http::problem::Problem;
use crate::media::StorageError;
use crate::model::PictureFile;

#[cfg(feature = "s3")]
/// Lifetime of a presigned URL to a private bucket. Browsers ask again after half of it.
const PRESIGNED_FOR: Duration = Duration::from_mins(10);

/// An uploaded picture. Every upload gets a new file name, so the name serves as the entity tag.
pub(super) async fn picture(
    State(accounts): State<Accounts>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file: PictureFile = file.parse().map_err(|_| not_found())?;
    let storage = accounts.storage().map_err(unavailable)?;
    #[cfg(feature = "s3")]
    if accounts.config().media.delivery == crate::config::Delivery::Presigned
        && let Some(url) = storage.presign(&file, PRESIGNED_FOR).await.map_err(unavailable)?
    {
        let cache = format!("private, max-age={}", PRESIGNED_FOR.as_secs() / 2);
        return Ok((StatusCode::FOUND, INERT, [(LOCATION, url), (CACHE_CONTROL, cache)]).into_response());
    }
    let bytes = storage.get(&file).await.map_err(unavailable)?.ok_or_else(not_found)?;
    let etag = format!("\"{}\"", file.digits());
    Ok(answer(&headers, etag, &bytes))
}

fn unavailable(error: StorageError) -> Problem {
    Problem::from(error).detail("The picture is temporarily unavailable")
}

/// Returns the whole file, a part of it, or 304 if the client has it (RFC 9110, sections 13 and 14).
fn answer(request: &HeaderMap, etag: String, bytes: &Bytes) -> Response {
    let header = |name| request.get(name).and_then(|value| value.to_str().ok());
    let known = header(IF_NONE_MATCH).is_some_and(|list| list.trim() == "*" || tags(list).any(|tag| tag == etag));
    let range = match header(IF_RANGE) {
        Some(condition) if condition.trim() != etag => None,
        _ => header(RANGE).and_then(|text| requested(text, bytes.len())),
    };
    let shared = [
        (CACHE_CONTROL, "public, max-age=31536000, immutable".to_owned()),
        (ETAG, etag),
        (ACCEPT_RANGES, "bytes".to_owned()),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, INERT, shared).into_response();
    }
    let content = [(CONTENT_TYPE, "image/jpeg")];
    match range {
        None => (INERT, shared, content, bytes.clone()).into_response(),
        Some(Requested::Part(range)) => {
            let place = format!("bytes {}-{}/{}", range.start, range.end - 1, bytes.len());
            let part = bytes.slice(range);
            (StatusCode::PARTIAL_CONTENT, INERT, shared, content, [(CONTENT_RANGE, place)], part).into_response()
        }
        Some(Requested::Unsatisfiable) => {
            let size = format!("bytes */{}", bytes.len());
            (StatusCode::RANGE_NOT_SATISFIABLE, INERT, [(CONTENT_RANGE, size)]).into_response()
        }
    }
}

/// The tags of a list, for weak comparison.
fn tags(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(|tag| tag.trim().trim_start_matches("W/"))
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requested {
    Part(Range<usize>),
    Unsatisfiable,
}

/// Parses a single range. Several ranges or another unit count as no range, which is answered with the whole file.
fn requested(text: &str, length: usize) -> Option<Requested> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || last.contains(',') {
        return None;
    }
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let range = match (first.trim().is_empty(), last.trim().is_empty()) {
        (true, true) => return None,
        // A suffix range: the last n bytes.
        (true, false) => length.saturating_sub(number(last)?)..length,
        (false, true) => number(first)?..length,
        (false, false) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(length)
        }
    };
    Some(if range.start < range.end { Requested::Part(range) } else { Requested::Unsatisfiable })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_others_are_left_alone() {
        for (text, expected) in [
            ("bytes=0-0", Some(Requested::Part(0..1))),
            ("bytes=2-", Some(Requested::Part(2..10))),
            ("bytes=-3", Some(Requested::Part(7..10))),
            ("bytes=-99", Some(Requested::Part(0..10))),
            ("Bytes = 5-99", Some(Requested::Part(5..10))),
            ("bytes=10-", Some(Requested::Unsatisfiable)),
            ("bytes=-0", Some(Requested::Unsatisfiable)),
            ("bytes=3-2", None),
            ("bytes=0-1,4-5", None),
            ("bytes=-", None),
            ("bytes=a-b", None),
            ("lines=0-1", None),
            ("bytes=99999999999999999999-", None),
        ] {
            assert_eq!(requested(text, 10), expected, "{text}");
        }
    }
}
