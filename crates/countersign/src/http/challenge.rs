//! Handler of `/api/challenge`, and the problem that demands a missing proof of work.

use axum::extract::{FromRef, State};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Private;
use super::fields::{Invalid, QueryFields};
use super::problem::{CHALLENGE_REQUIRED, ChallengeResponse, ParameterProblems, Problem, ServiceProblems};
use crate::model::ChallengePurpose;
use crate::{Accounts, ChallengeRequired};

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(get_challenge))
}

/// Get a challenge
///
/// For clients that solve the challenge in advance. Other clients get a 403 with the code `challenge_required`, which carries a
/// challenge too. The setting `CHALLENGE` says when a proof of work is required.
#[utoipa::path(
    get,
    path = "/api/challenge",
    tag = "users",
    params(("for" = String, Query, pattern = "^(register|forgot-password)$", description = "The operation that the challenge is for")),
    responses(
        (status = OK, body = ChallengeResponse, description = "A new challenge"),
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
