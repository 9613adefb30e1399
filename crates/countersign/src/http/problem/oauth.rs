//! Errors for OAuth clients: with the members and the media type of RFC 6749, section 5.2, because these clients read no other.
//! Separate from the other problems, so that an OAuth endpoint cannot return one without them.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use axum::response::{IntoResponse, Response};
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;

use super::body::{JSON, PROBLEM_JSON};
use super::kinds::{
    EMAIL_NOT_VERIFIED, INVALID_REFRESH_TOKEN, INVALID_TOKEN, NOT_AUTHENTICATED, REFRESH_TOKEN_REUSED,
    WRONG_CREDENTIALS,
};
use super::{Problem, ProblemKind};

/// The path of the OAuth endpoints, with all paths below it.
const ENDPOINTS: &str = "/api/users/token";

/// Whether an OAuth endpoint is at this path; its clients expect problems [in OAuth's form](Problem::for_oauth).
pub fn is_oauth_endpoint(path: &str) -> bool {
    path.strip_prefix(ENDPOINTS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A problem of an OAuth endpoint, the only error type of its handlers and extractors.
pub(crate) struct OAuthProblem(Problem);

impl<E: Into<Problem>> From<E> for OAuthProblem {
    fn from(error: E) -> Self {
        Self(error.into().for_oauth())
    }
}

impl IntoResponse for OAuthProblem {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl Problem {
    /// Converts it for OAuth clients: `application/json`, with the members `error` and `error_description` (RFC 6749, section 5.2).
    #[must_use]
    pub fn for_oauth(self) -> Self {
        let error = self.oauth.unwrap_or_else(|| error_of(self.kind));
        self.oauth(error)
    }

    /// Sets an `error` that differs from that of the kind.
    pub(crate) fn oauth(self, error: &'static str) -> Self {
        Self { oauth: Some(error), ..self }
    }
}

/// Returns the `error` of a kind.
fn error_of(kind: &ProblemKind) -> &'static str {
    let is_of = |kinds: &[&ProblemKind]| kinds.iter().any(|one| one.code == kind.code);
    if is_of(&[&WRONG_CREDENTIALS, &EMAIL_NOT_VERIFIED, &INVALID_REFRESH_TOKEN, &REFRESH_TOKEN_REUSED]) {
        return "invalid_grant";
    }
    // Callers of introspection are clients that authenticate with a secret.
    if is_of(&[&NOT_AUTHENTICATED, &INVALID_TOKEN]) {
        return "invalid_client";
    }
    match kind.status {
        // RFC 6749 defines these codes only in section 4.1.2.1; its section 5.2 has none for rate limits or server errors.
        429 | 503 => "temporarily_unavailable",
        500.. => "server_error",
        _ => "invalid_request",
    }
}

/// For the description of an OAuth endpoint: the problems of `P`, with OAuth's media type.
pub(crate) struct OAuth<P>(PhantomData<P>);

impl<P: IntoResponses> IntoResponses for OAuth<P> {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let mut responses = P::responses();
        for response in responses.values_mut() {
            if let RefOr::T(response) = response
                && let Some(content) = response.content.shift_remove(PROBLEM_JSON)
            {
                response.content.insert(JSON.to_owned(), content);
            }
        }
        responses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoints_of_oauth_are_known_by_their_paths() {
        for path in ["/api/users/token", "/api/users/token/revoke", "/api/users/token/introspect"] {
            assert!(is_oauth_endpoint(path), "{path}");
        }
        for path in ["/api/users", "/api/users/tokens", "/api/users/me", "/login", "/x/api/users/token"] {
            assert!(!is_oauth_endpoint(path), "{path}");
        }
    }
}
