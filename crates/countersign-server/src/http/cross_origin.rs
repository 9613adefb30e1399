//! Cross-origin access to the API (CORS, Fetch standard). Separate from the other headers, because preflight requests
//! are answered here.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, CACHE_CONTROL, ORIGIN, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use countersign::config::SiteUrl;

/// Maximum number of origins, more than an application needs.
const ORIGINS_MAX: usize = 32;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static("authorization, content-type");
const RESPONSE_HEADERS: HeaderValue =
    HeaderValue::from_static("www-authenticate, retry-after, ratelimit, ratelimit-policy, x-request-id");
/// How long browsers cache a preflight response, in seconds. Two hours is the shortest maximum among browsers.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("7200");

/// The origins whose scripts may use the API, with access tokens only. No response allows credentials, and requests
/// with a cookie are refused as from any other site.
#[derive(Clone, Debug, Default)]
pub struct CrossOrigins(Arc<[HeaderValue]>);

impl CrossOrigins {
    /// Parses origins as browsers write them, separated by commas.
    ///
    /// # Errors
    /// If one is not an origin, or there are more than 32. The message says what is accepted.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let origins: Vec<HeaderValue> = origins.map(parse_origin).collect::<Result<_, _>>()?;
        if origins.len() > ORIGINS_MAX {
            return Err("expected up to 32 origins");
        }
        Ok(Self(origins.into()))
    }

    /// Returns the origins as written in `Origin` headers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|origin| origin.to_str().ok())
    }
}

fn parse_origin(text: &str) -> Result<HeaderValue, &'static str> {
    if text == "*" || text == "null" {
        return Err("list every origin: `*` would let every site use the API, and `null` stands for any origin");
    }
    let after_scheme = text.split_once("://").map_or("", |(_, rest)| rest);
    if after_scheme.contains('/') {
        return Err("an origin has no path and no slash at its end: https://app.example.org");
    }
    let origin: SiteUrl = text.parse().map_err(|_| {
        "expected origins separated by commas, each with scheme and host, and the port if it is not the scheme's default, such as \
         https://app.example.org"
    })?;
    if !origin.is_https() && !origin.is_loopback() {
        return Err(
            "over plain HTTP anyone on the network could pose as that origin: expected https, or http on this machine",
        );
    }
    HeaderValue::from_str(origin.as_str()).map_err(|_| "expected origins such as https://app.example.org")
}

/// How a response is shared with another origin.
pub(super) enum Sharing {
    /// Not shared: it is a page, or no other origin may use the API.
    None,
    /// Not shared with this origin, but with others, so the response varies by origin.
    NotWithThis,
    /// Shared completely.
    Answer(HeaderValue),
    /// The response to a preflight request.
    Preflight(HeaderValue),
}

impl Sharing {
    pub(super) fn of(origins: &CrossOrigins, request: &Request) -> Self {
        let path = request.uri().path();
        if origins.0.is_empty() || !(path.starts_with("/api/") || path.starts_with("/.well-known/")) {
            return Self::None;
        }
        let asked_by = request.headers().get(ORIGIN);
        match origins.0.iter().find(|origin| asked_by == Some(*origin)) {
            None => Self::NotWithThis,
            Some(origin) if is_preflight(request) => Self::Preflight(origin.clone()),
            Some(origin) => Self::Answer(origin.clone()),
        }
    }

    /// Adds the CORS headers to a response.
    pub(super) fn share(&self, mut answer: Response) -> Response {
        let origin = match self {
            Self::None => return answer,
            Self::NotWithThis => None,
            Self::Answer(origin) => {
                answer.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
                Some(origin)
            }
            Self::Preflight(origin) => {
                answer = preflight();
                Some(origin)
            }
        };
        let headers = answer.headers_mut();
        headers.append(VARY, HeaderValue::from_static("origin"));
        headers.extend(origin.map(|origin| (ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone())));
        answer
    }
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The same for every path: whether a path supports a method is answered to the request itself.
fn preflight() -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer.headers_mut().extend([
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_taken_as_browsers_write_them() {
        let read =
            |text| CrossOrigins::parse(text).map(|origins| origins.iter().map(str::to_owned).collect::<Vec<_>>());
        for (text, expected) in [
            ("", vec![]),
            ("https://app.example.org", vec!["https://app.example.org"]),
            (
                "https://App.example.org:443, http://localhost:5173,",
                vec!["https://app.example.org", "http://localhost:5173"],
            ),
            ("http://127.0.0.1:3000,http://[::1]:3000", vec!["http://127.0.0.1:3000", "http://[::1]:3000"]),
            ("https://bücher.example", vec!["https://xn--bcher-kva.example"]),
        ] {
            assert_eq!(read(text), Ok(expected.into_iter().map(str::to_owned).collect()), "{text}");
        }
        let many = vec!["https://app.example.org"; 33].join(",");
        for (text, reason) in [
            ("*", "list every origin"),
            ("https://app.example.org,*", "list every origin"),
            ("null", "list every origin"),
            ("https://app.example.org/", "no slash"),
            ("https://app.example.org/app", "no path"),
            ("app.example.org", "scheme and host"),
            ("https://*.example.org", "scheme and host"),
            ("https://u@app.example.org", "scheme and host"),
            ("capacitor://localhost", "scheme and host"),
            ("http://app.example.org", "plain HTTP"),
            (&many, "up to 32"),
        ] {
            assert!(read(text).unwrap_err().contains(reason), "{text}: {:?}", read(text));
        }
    }
}
