//! Proof of work before an expensive operation; each challenge counts once.

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::config::{ChallengePolicy, ChallengeWhen};
use crate::model::{Challenge, ChallengePurpose, ChallengeSolution};
use crate::secrets::challenge::SolutionError;
use crate::session_cache::Changed;
use crate::store;

/// A proof of work is required first.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{fault}")]
#[non_exhaustive]
pub struct ChallengeRequired {
    /// Why the presented solution is not accepted.
    pub fault: ChallengeFault,
    /// A challenge to solve now.
    pub next: Challenge,
}

/// Why a proof of work is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeFault {
    /// No solution was presented.
    #[error("A proof of work is required")]
    Missing,
    /// The solution is for an unknown challenge, for another act or for less work, or the work was not done.
    #[error("The proof of work is wrong")]
    Wrong,
    /// The challenge has expired.
    #[error("The proof of work comes too late")]
    Expired,
    /// The challenge was used before.
    #[error("The proof of work was used before")]
    Spent,
}

impl From<SolutionError> for ChallengeFault {
    fn from(unsolved: SolutionError) -> Self {
        match unsolved {
            SolutionError::Wrong => Self::Wrong,
            SolutionError::Expired => Self::Expired,
        }
    }
}

impl Accounts {
    /// Issues a challenge for an act. Nothing is stored.
    pub fn issue_challenge(&self, purpose: ChallengePurpose) -> Challenge {
        let ChallengePolicy { ttl, .. } = self.config().challenge;
        let (bits, now) = (self.challenge_bits(), self.clock().now());
        let expires_at = now.saturating_add(ttl).unwrap_or(now);
        Challenge { text: self.keys().issue_challenge(purpose, bits, expires_at), bits, expires_in: ttl }
    }

    /// Issues a challenge to solve while a user fills in a form, if one may be required. Otherwise the user would have
    /// to send the form again and retype the password.
    pub fn offer_challenge(&self, purpose: ChallengePurpose) -> Option<Challenge> {
        (self.config().challenge.when != ChallengeWhen::Off).then(|| self.issue_challenge(purpose))
    }

    /// Refuses the request if work is required now and was not done. A solution counts once, whatever the outcome of
    /// the act.
    pub(in crate::operations) async fn demand_challenge<E>(
        &self,
        purpose: ChallengePurpose,
        solution: Option<&ChallengeSolution>,
    ) -> Result<(), E>
    where
        E: From<ChallengeRequired> + From<DbError>,
    {
        if !self.asks_for_work() {
            return Ok(());
        }
        match self.spend(purpose, solution).await? {
            Ok(()) => Ok(()),
            Err(fault) => Err(ChallengeRequired { fault, next: self.issue_challenge(purpose) }.into()),
        }
    }

    /// The only rule for when work is required.
    fn asks_for_work(&self) -> bool {
        match self.config().challenge.when {
            ChallengeWhen::Off => false,
            ChallengeWhen::UnderLoad => self.hashing().is_under_load(),
            ChallengeWhen::Always => true,
        }
    }

    fn challenge_bits(&self) -> u8 {
        self.config().challenge.bits.min(ChallengePolicy::BITS_MAX)
    }

    async fn spend(
        &self,
        purpose: ChallengePurpose,
        solution: Option<&ChallengeSolution>,
    ) -> Result<Result<(), ChallengeFault>, DbError> {
        let Some(solution) = solution else { return Ok(Err(ChallengeFault::Missing)) };
        let now = self.clock().now();
        let solved = match self.keys().verify_solution(solution, purpose, self.challenge_bits(), now) {
            Ok(solved) => solved,
            Err(unsolved) => return Ok(Err(unsolved.into())),
        };
        let mut change = self.change(Changed::Nothing).await?;
        let is_first = store::spent_challenges::spend(change.conn(), solved.id, solved.expires_at).await?;
        change.commit().await?;
        Ok(if is_first { Ok(()) } else { Err(ChallengeFault::Spent) })
    }
}
