//! Decides what `/api/challenge` answers, and how a proof of work is asked for that is missing.

use axum::extract::{FromRef, State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Private;
use super::fields::{Invalid, QueryFields};
use super::problem::{CHALLENGE_REQUIRED, ParameterProblems, Problem, ServiceProblems};
use crate::model::{Challenge, ChallengePurpose};
use crate::{Accounts, ChallengeRequired};

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(get_challenge))
}

/// A proof of work to be done: find a decimal number so that SHA-256 of `<challenge>:<number>` begins with so many zero
/// bits, and send `<challenge>:<number>` as `challenge_solution`.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChallengeResponse {
    /// Opaque; it counts once.
    challenge: String,
    /// How many zero bits.
    #[schema(minimum = 0, maximum = 24, example = 18)]
    bits: u8,
    /// `sha-256`
    #[schema(example = "sha-256")]
    algorithm: &'static str,
    /// How long it can be answered, in seconds.
    #[schema(minimum = 0, example = 300)]
    expires_in: i64,
}

impl From<Challenge> for ChallengeResponse {
    fn from(Challenge { text, bits, expires_in }: Challenge) -> Self {
        Self { challenge: text, bits, algorithm: "sha-256", expires_in: expires_in.as_secs() }
    }
}

/// Get a challenge
///
/// For who wants to do the work before it is asked for. Whoever does not is told by a 403 with the code
/// `challenge_required`, which carries a challenge too. The setting `CHALLENGE` decides when that is.
#[utoipa::path(
    get,
    path = "/api/challenge",
    tag = "users",
    params(("for" = String, Query, pattern = "^(register|forgot-password)$", description = "The act that it is for")),
    responses(
        (status = OK, body = ChallengeResponse, description = "A challenge that nobody else has"),
        ParameterProblems,
        ServiceProblems,
    ),
)]
async fn get_challenge(
    State(accounts): State<Accounts>,
    QueryFields(mut query): QueryFields,
) -> Result<Private<ChallengeResponse>, Problem> {
    let purpose = query.required("for", |text| {
        let mismatch = "String should match pattern '^(register|forgot-password)$'";
        ChallengePurpose::parse(text).ok_or_else(|| Invalid::new("string_pattern_mismatch", mismatch))
    });
    match purpose {
        Ok(purpose) => Ok(Private(accounts.issue_challenge(purpose).into())),
        Err(_) => Err(query.into_problem()),
    }
}

impl From<ChallengeRequired> for Problem {
    fn from(required: ChallengeRequired) -> Self {
        Self::new(&CHALLENGE_REQUIRED).detail(required.fault.to_string()).challenge(required.next.into())
    }
}
