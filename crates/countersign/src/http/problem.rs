//! Errors on the wire: problems (RFC 9457), each of a kind with a stable code.
//!
//! There are two exceptions (`docs/adr/0003-errors-as-problems.md`): the API's contract requires that a 422 about the request's
//! fields is `application/json` with a list as `detail`, and at OAuth endpoints every problem is `application/json`.
//!
//! All of `http/` makes problems, so this module imports nothing from there.

mod body;
mod faults;
pub(crate) mod kind;
mod kinds;
mod oauth;
mod openapi;

use std::error::Error;
use std::fmt::Write as _;

use countersign_db::DbError;

pub(crate) use self::body::limit_headers;
pub use self::body::{FieldProblemBody, PROBLEM_JSON, ProblemBody};
pub(super) use self::faults::ChallengeResponse;
pub use self::faults::{FieldFault, Invalid, Place};
pub use self::kind::ProblemKind;
pub use self::kinds::*; // all of them, so that a new kind changes only its list
pub use self::oauth::is_oauth_endpoint;
pub(super) use self::oauth::{OAuth, OAuthProblem};
pub use self::openapi::{AuthenticationProblems, BodyProblems, LimitProblems, ParameterProblems, ServiceProblems};
use crate::{InternalError, TooManyAttempts};

/// An error response.
#[derive(Debug)]
pub struct Problem {
    kind: &'static ProblemKind,
    detail: Detail,
    /// The OAuth `error` code, at OAuth endpoints.
    oauth: Option<&'static str>,
    demand: Demand,
    /// Boxed, because few problems have one, and it would enlarge every `Result`.
    way_out: Option<Box<Remedy>>,
}

/// How the client can make the same request succeed.
#[derive(Debug)]
enum Remedy {
    Wait(TooManyAttempts),
    Work(ChallengeResponse),
    /// Sending the body without `Content-Encoding`.
    Unencoded,
}

/// The credential that a 401 demands (RFC 9110, section 11.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// An access token, because the request has none.
    AccessToken,
    /// Another bearer token, because the one sent is invalid (RFC 6750, section 3.1).
    AnotherToken,
    /// A service's secret, as bearer token or password, because the request has none.
    ServiceSecret,
    /// A service's secret as a password, because the one sent that way is wrong.
    ServicePassword,
}

#[derive(Debug)]
enum Detail {
    Title,
    Text(String),
    Fields(Vec<FieldFault>),
}

impl Problem {
    /// Makes a problem of this kind; its `detail` is the kind's title.
    pub fn new(kind: &'static ProblemKind) -> Self {
        Self { kind, detail: Detail::Title, oauth: None, demand: Demand::AccessToken, way_out: None }
    }

    /// Sets the `detail`.
    #[must_use]
    pub fn detail(self, text: impl Into<String>) -> Self {
        Self { detail: Detail::Text(text.into()), ..self }
    }

    /// Makes a problem about fields of the request.
    pub fn fields(faults: Vec<FieldFault>) -> Self {
        Self { detail: Detail::Fields(faults), ..Self::new(&INVALID_FIELDS) }
    }

    /// Sets the credential that a 401 demands.
    pub(super) fn demand(self, demand: Demand) -> Self {
        Self { demand, ..self }
    }

    /// Adds a challenge; with its solution the request can be sent again.
    pub(super) fn challenge(self, challenge: ChallengeResponse) -> Self {
        Self { way_out: Some(Box::new(Remedy::Work(challenge))), ..self }
    }

    /// Adds the header that demands bodies without an encoding (RFC 9110, section 15.5.16).
    pub(super) fn without_encoding(self) -> Self {
        Self { way_out: Some(Box::new(Remedy::Unencoded)), ..self }
    }

    /// The kind of problem.
    pub fn kind(&self) -> &'static ProblemKind {
        self.kind
    }
}

impl From<TooManyAttempts> for Problem {
    fn from(limited: TooManyAttempts) -> Self {
        let seconds = limited.retry_after_seconds;
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let detail = format!("Too many attempts; try again in {seconds} {unit}");
        Self { way_out: Some(Box::new(Remedy::Wait(limited))), ..Self::new(&TOO_MANY_REQUESTS) }.detail(detail)
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        Self::from(InternalError::from(error))
    }
}

impl From<InternalError> for Problem {
    /// Logs the error with its causes; the client does not see them.
    fn from(error: InternalError) -> Self {
        let unavailable = matches!(error, InternalError::Db(DbError::Unavailable(_)) | InternalError::KeysUnread);
        let causes = causes(&error);
        if unavailable {
            tracing::warn!(error = causes, "a request failed, the database is unavailable");
            Self::new(&DATABASE_UNAVAILABLE)
        } else {
            tracing::error!(error = causes, "a request failed");
            Self::new(&INTERNAL)
        }
    }
}

/// Returns the error's text and those of its causes, each once.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}
