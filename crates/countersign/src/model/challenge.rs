//! Proof-of-work challenges that a client solves before an expensive operation, and their solutions.

use jiff::SignedDuration;

/// The operation that a proof of work is for. It is not valid for any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChallengePurpose {
    /// Registration.
    Register,
    /// A password reset request.
    ForgotPassword,
}

impl ChallengePurpose {
    /// All purposes.
    pub const ALL: [Self; 2] = [Self::Register, Self::ForgotPassword];

    /// Returns the name in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::ForgotPassword => "forgot-password",
        }
    }

    /// Returns the purpose of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// A proof-of-work challenge: find a decimal number so that SHA-256 (FIPS 180-4) of `<text>:<number>` begins with
/// `bits` zero bits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Challenge {
    /// About 80 characters of URL-safe Base64; opaque.
    pub text: String,
    /// The number of zero bits. Each one doubles the work.
    pub bits: u8,
    /// How long it can be solved.
    pub expires_in: SignedDuration,
}

/// A solution as presented, not verified yet: `<text>:<number>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeSolution(String);

impl ChallengeSolution {
    /// Wraps any text without checking it.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the challenge and the number, or `None` if the form is wrong.
    pub(crate) fn parts(&self) -> Option<(&str, &str)> {
        const DIGITS_MAX: usize = 20;
        let (challenge, number) = self.0.split_once(':')?;
        let is_number = (1..=DIGITS_MAX).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some((challenge, number))
    }

    /// Returns the bytes to hash.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_is_a_challenge_and_a_number() {
        let parts = |text: &str| {
            let solution = ChallengeSolution::presented(text);
            solution.parts().map(|(challenge, number)| (challenge.to_owned(), number.to_owned()))
        };
        assert_eq!(parts("abc:0"), Some(("abc".to_owned(), "0".to_owned())));
        assert!(parts(&format!("abc:{}", "9".repeat(20))).is_some());
        for text in ["", "abc", "abc:", "abc:-1", "abc:+1", "abc: 1", "abc:1:2", "abc:0x1", "abc:१"] {
            assert_eq!(parts(text), None, "{text}");
        }
        assert_eq!(parts(&format!("abc:{}", "9".repeat(21))), None);
    }
}
