//! The proof of work before an act that costs much: each challenge counts once.

use countersign_db::DbError;

use crate::accounts::Accounts;
use crate::config::{ChallengePolicy, ChallengeWhen};
use crate::model::{Challenge, ChallengePurpose, ChallengeSolution};
use crate::secrets::challenge::Unsolved;
use crate::session_cache::Changed;
use crate::store;

/// A proof of work has to be done first.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct ChallengeRequired {
    /// Why what was presented is not enough.
    pub fault: ChallengeFault,
    /// One that can be solved now.
    pub next: Challenge,
}

/// Why a proof of work does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeFault {
    /// There is none.
    #[error("A proof of work is required")]
    Missing,
    /// It is for no challenge of ours, for another act or for less work, or the work was not done.
    #[error("The proof of work is wrong")]
    Wrong,
    /// It comes too late.
    #[error("The proof of work comes too late")]
    Expired,
    /// It counted before.
    #[error("The proof of work was used before")]
    Spent,
}

impl From<Unsolved> for ChallengeFault {
    fn from(unsolved: Unsolved) -> Self {
        match unsolved {
            Unsolved::Wrong => Self::Wrong,
            Unsolved::Expired => Self::Expired,
        }
    }
}

impl Accounts {
    /// A new challenge for an act. Nothing is kept of it.
    pub fn issue_challenge(&self, purpose: ChallengePurpose) -> Challenge {
        let ChallengePolicy { ttl, .. } = self.config().challenge;
        let (bits, now) = (self.challenge_bits(), self.clock().now());
        let expires_at = now.saturating_add(ttl).unwrap_or(now);
        Challenge { text: self.keys().issue_challenge(purpose, bits, expires_at), bits, expires_in: ttl }
    }

    /// A challenge to be solved while somebody fills in a form, where one may be asked for: whoever has to send the form
    /// again has to type the password again, too.
    pub fn offer_challenge(&self, purpose: ChallengePurpose) -> Option<Challenge> {
        (self.config().challenge.when != ChallengeWhen::Off).then(|| self.issue_challenge(purpose))
    }

    /// Refuses who has not done the work, if it is asked for now. A solution counts once, whatever becomes of the act.
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

    /// The one rule by which work is asked for.
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
