//! What an error looks like on the wire: a problem (RFC 9457) of a kind that has a stable code.
//!
//! Two exceptions (`docs/adr/0003-errors-as-problems.md`): for the sake of the API's contract, a 422 about the request's fields is
//! `application/json`, and its `detail` is a list; and at the endpoints of OAuth every problem is `application/json`.
//!
//! Everything in `http/` makes problems, so this module imports nothing from there.

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
pub use self::kinds::*; // whole, so that a new kind changes its list alone
pub use self::oauth::is_oauth_endpoint;
pub(super) use self::oauth::{OAuth, OAuthProblem};
pub use self::openapi::{AuthenticationProblems, BodyProblems, LimitProblems, ParameterProblems, ServiceProblems};
use crate::{InternalError, TooManyAttempts};

/// An error as it is answered.
#[derive(Debug)]
pub struct Problem {
    kind: &'static ProblemKind,
    detail: Detail,
    /// The `error` of OAuth, at its endpoints.
    oauth: Option<&'static str>,
    demand: Demand,
    /// Boxed, because few problems have one, and every result would carry its room.
    way_out: Option<Box<WayOut>>,
}

/// What makes the same request succeed.
#[derive(Debug)]
enum WayOut {
    Wait(TooManyAttempts),
    Work(ChallengeResponse),
    /// The body without `Content-Encoding`.
    AsItIs,
}

/// What a 401 asks for (RFC 9110, section 11.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// An access token, where none came.
    AccessToken,
    /// Another bearer token than the one that came (RFC 6750, section 3.1).
    AnotherToken,
    /// The secret of a service, in either way, where none came.
    ServiceSecret,
    /// The same as a password, where it came so and was wrong.
    ServicePassword,
}

#[derive(Debug)]
enum Detail {
    Title,
    Text(String),
    Fields(Vec<FieldFault>),
}

impl Problem {
    /// A problem of this kind; its `detail` is the kind's title.
    pub fn new(kind: &'static ProblemKind) -> Self {
        Self { kind, detail: Detail::Title, oauth: None, demand: Demand::AccessToken, way_out: None }
    }

    /// With this `detail`.
    #[must_use]
    pub fn detail(self, text: impl Into<String>) -> Self {
        Self { detail: Detail::Text(text.into()), ..self }
    }

    /// About fields of the request.
    pub fn fields(faults: Vec<FieldFault>) -> Self {
        Self { detail: Detail::Fields(faults), ..Self::new(&INVALID_FIELDS) }
    }

    /// As a 401 that asks for this.
    pub(super) fn demand(self, demand: Demand) -> Self {
        Self { demand, ..self }
    }

    /// With a challenge, after whose solution the request can be sent again.
    pub(super) fn challenge(self, challenge: ChallengeResponse) -> Self {
        Self { way_out: Some(Box::new(WayOut::Work(challenge))), ..self }
    }

    /// With the header that asks for bodies without an encoding (RFC 9110, section 15.5.16).
    pub(super) fn without_encoding(self) -> Self {
        Self { way_out: Some(Box::new(WayOut::AsItIs)), ..self }
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> &'static ProblemKind {
        self.kind
    }
}

impl From<TooManyAttempts> for Problem {
    fn from(limited: TooManyAttempts) -> Self {
        let seconds = limited.retry_after_seconds;
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let detail = format!("Too many attempts; try again in {seconds} {unit}");
        Self { way_out: Some(Box::new(WayOut::Wait(limited))), ..Self::new(&TOO_MANY_REQUESTS) }.detail(detail)
    }
}

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        Self::from(InternalError::from(error))
    }
}

impl From<InternalError> for Problem {
    /// Logs the error with its causes; the client gets none of them.
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

/// The error's text and those of its causes, each once.
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
