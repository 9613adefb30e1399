//! Proof-of-work challenges and their verification. Issued challenges are not stored: each carries its own parameters,
//! authenticated by an HMAC with a key derived from `SECRET_KEY`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::keys::{Keys, Purpose};
use crate::model::{ChallengePurpose, ChallengeSolution};

/// Purpose, difficulty in bits, expiry in seconds, random bytes.
const SAID_BYTES: usize = 1 + 1 + 8 + 16;
const MAC_BYTES: usize = 32;
const CHALLENGE_BYTES: usize = SAID_BYTES + MAC_BYTES;

/// A solved challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Solved {
    /// The challenge's random bytes, used to record that it was spent.
    pub(crate) id: Uuid,
    /// When the record can be deleted.
    pub(crate) expires_at: Timestamp,
}

/// Why a solution was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SolutionError {
    /// The challenge is not ours, is for another action, or is easier than now required; or the work was not done.
    Wrong,
    /// The challenge has expired.
    Expired,
}

impl Keys {
    /// Issues a challenge: about 80 characters of URL-safe Base64.
    pub(crate) fn issue_challenge(&self, purpose: ChallengePurpose, bits: u8, expires_at: Timestamp) -> String {
        let mut challenge = [0; CHALLENGE_BYTES];
        let (said, mac) = challenge.split_at_mut(SAID_BYTES);
        said[0] = code(purpose);
        said[1] = bits;
        said[2..10].copy_from_slice(&expires_at.as_second().to_be_bytes());
        said[10..].copy_from_slice(&super::bytes::<16>());
        let key = self.present(Purpose::Challenges).clone();
        mac.copy_from_slice(&key.chain_update(&*said).finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(challenge)
    }

    /// Verifies a solution: the challenge must be for this purpose and require at least `bits`, and the work must be
    /// done. The most expensive check comes last.
    pub(crate) fn verify_solution(
        &self,
        solution: &ChallengeSolution,
        purpose: ChallengePurpose,
        bits: u8,
        now: Timestamp,
    ) -> Result<Solved, SolutionError> {
        let (text, _) = solution.parts().ok_or(SolutionError::Wrong)?;
        let mut challenge = [0; CHALLENGE_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut challenge).map_err(|_| SolutionError::Wrong)?;
        let (said, mac) = challenge.split_first_chunk::<SAID_BYTES>().expect("it is longer");
        let is_ours = length == CHALLENGE_BYTES
            && self.all(Purpose::Challenges).any(|key| key.clone().chain_update(said).verify_slice(mac).is_ok());
        if !is_ours || said[0] != code(purpose) || said[1] < bits {
            return Err(SolutionError::Wrong);
        }
        let (second, random) = said[2..].split_first_chunk::<8>().expect("24 bytes");
        let expires_at = Timestamp::from_second(i64::from_be_bytes(*second)).map_err(|_| SolutionError::Wrong)?;
        if now >= expires_at {
            return Err(SolutionError::Expired);
        }
        if zero_bits(&Sha256::digest(solution.as_bytes())) < u32::from(said[1]) {
            return Err(SolutionError::Wrong);
        }
        Ok(Solved { id: Uuid::from_bytes(random.try_into().expect("16 bytes")), expires_at })
    }
}

fn code(purpose: ChallengePurpose) -> u8 {
    match purpose {
        ChallengePurpose::Register => 1,
        ChallengePurpose::ForgotPassword => 2,
    }
}

/// Returns the number of leading zero bits.
fn zero_bits(bytes: &[u8]) -> u32 {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let rest = bytes.get(zeros).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(zeros).unwrap_or(u32::MAX).saturating_mul(8).saturating_add(rest)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;
    use crate::secrets::generate_secret_key;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;
    const BITS: u8 = 8;

    fn later() -> Timestamp {
        NOW + SignedDuration::from_mins(5)
    }

    fn answers(challenge: &str) -> impl Iterator<Item = ChallengeSolution> {
        (0..1_000_000).map(move |number| ChallengeSolution::presented(&format!("{challenge}:{number}")))
    }

    fn solve(challenge: &str) -> ChallengeSolution {
        let is_right = |answer: &ChallengeSolution| zero_bits(&Sha256::digest(answer.as_bytes())) >= BITS.into();
        answers(challenge).find(is_right).unwrap()
    }

    #[test]
    fn a_solution_counts_for_its_act_its_time_and_its_key_alone() {
        use ChallengePurpose::{ForgotPassword, Register};
        let (key, newer) = (generate_secret_key(), generate_secret_key());
        let keys = Keys::new(std::slice::from_ref(&key));
        let challenge = keys.issue_challenge(Register, BITS, later());
        let solution = solve(&challenge);
        let solved = keys.verify_solution(&solution, Register, BITS, NOW).unwrap();
        assert_eq!(solved.expires_at, later());
        assert_eq!(Keys::new(&[newer.clone(), key]).verify_solution(&solution, Register, BITS, NOW), Ok(solved));
        assert_eq!(Keys::new(&[newer]).verify_solution(&solution, Register, BITS, NOW), Err(SolutionError::Wrong));
        assert_eq!(keys.verify_solution(&solution, ForgotPassword, BITS, NOW), Err(SolutionError::Wrong));
        assert_eq!(keys.verify_solution(&solution, Register, BITS, later()), Err(SolutionError::Expired));
        // The required difficulty has increased.
        assert_eq!(keys.verify_solution(&solution, Register, BITS + 1, NOW), Err(SolutionError::Wrong));
        let other = keys.issue_challenge(Register, BITS, later());
        assert_ne!(keys.verify_solution(&solve(&other), Register, BITS, NOW).unwrap().id, solved.id);
    }

    #[test]
    fn an_answer_without_the_work_is_wrong() {
        let keys = Keys::new(&[generate_secret_key()]);
        let challenge = keys.issue_challenge(ChallengePurpose::Register, BITS, later());
        let right = answers(&challenge).take(2_560);
        let right =
            right.filter(|answer| keys.verify_solution(answer, ChallengePurpose::Register, BITS, NOW).is_ok()).count();
        // Ten are expected.
        assert!((1..50).contains(&right), "{right}");
    }

    #[test]
    fn a_challenge_that_was_changed_is_none_of_ours() {
        let keys = Keys::new(&[generate_secret_key()]);
        let challenge = keys.issue_challenge(ChallengePurpose::Register, BITS, later());
        let bytes = URL_SAFE_NO_PAD.decode(&challenge).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            let solution = solve(&URL_SAFE_NO_PAD.encode(changed));
            assert_eq!(
                keys.verify_solution(&solution, ChallengePurpose::Register, 0, NOW),
                Err(SolutionError::Wrong),
                "{place}"
            );
        }
    }

    #[test]
    fn zero_bits_are_counted_from_the_front() {
        assert_eq!(zero_bits(&[0x80]), 0);
        assert_eq!(zero_bits(&[0x01, 0]), 7);
        assert_eq!(zero_bits(&[0, 0x10]), 11);
        assert_eq!(zero_bits(&[0, 0]), 16);
    }

    proptest! {
        #[test]
        fn what_is_no_solution_is_wrong(text in "[A-Za-z0-9_:=-]{0,120}") {
            let keys = Keys::new(&[generate_secret_key()]);
            let answer = ChallengeSolution::presented(&text);
            prop_assert_eq!(keys.verify_solution(&answer, ChallengePurpose::Register, 0, NOW), Err(SolutionError::Wrong));
        }
    }
}
