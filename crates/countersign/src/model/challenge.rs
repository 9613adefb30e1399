//! Decides what a client may be asked to compute before an act that costs us much, and how it answers.

use jiff::SignedDuration;

/// The act that a proof of work is for; one for one act is nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengePurpose {
    /// Registering.
    Register,
    /// Asking for a new password.
    ForgotPassword,
}

impl ChallengePurpose {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Register, Self::ForgotPassword];

    /// Its name in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::ForgotPassword => "forgot-password",
        }
    }

    /// The act of this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// A proof of work to be done: a decimal number has to be found so that SHA-256 (FIPS 180-4) of `<text>:<number>` begins
/// with so many zero bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Some 80 characters of URL-safe Base64; opaque.
    pub text: String,
    /// How many zero bits: with each the work doubles.
    pub bits: u8,
    /// How long it can be answered.
    pub expires_in: SignedDuration,
}

/// What a client answers, not yet known to be right: `<text>:<number>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeSolution(String);

impl ChallengeSolution {
    /// Any text; it is only looked at.
    pub fn presented(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The challenge that it is for, and the number. `None` when it has another form.
    pub(crate) fn parts(&self) -> Option<(&str, &str)> {
        const DIGITS_MAX: usize = 20;
        let (challenge, number) = self.0.split_once(':')?;
        let is_number = (1..=DIGITS_MAX).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some((challenge, number))
    }

    /// What is hashed.
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
