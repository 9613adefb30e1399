//! The six-digit code of a mail as a user types or pastes it. It is separate from the stored secret, which nobody
//! types.

use icu_properties::props::{EnumeratedProperty as _, GeneralCategory};
use secrecy::{ExposeSecret as _, SecretString};

/// Six digits as presented, not verified yet.
pub struct OneTimeCode(SecretString);

/// The text does not have six digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Code should have 6 digits")]
pub struct InvalidOneTimeCode;

const DIGITS: usize = 6;

impl OneTimeCode {
    /// Takes the decimal digits of a text in any script and ignores all other characters: a pasted code may contain
    /// spaces or hyphens.
    ///
    /// ```
    /// use countersign::model::OneTimeCode;
    ///
    /// assert!(OneTimeCode::parse(" 123 456 ").is_ok());
    /// assert!(OneTimeCode::parse("12345").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidOneTimeCode> {
        // One digit more is enough to see that there are too many.
        let digits: SecretString = text.chars().filter_map(value_of).take(DIGITS + 1).collect::<String>().into();
        if digits.expose_secret().len() == DIGITS { Ok(Self(digits)) } else { Err(InvalidOneTimeCode) }
    }

    /// Returns the digits in ASCII.
    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// Returns the digit in ASCII. Decimal digits come in runs from zero to nine (The Unicode Standard, section 4.6), which
/// may be adjacent.
fn value_of(character: char) -> Option<char> {
    let is_digit = |character: &char| GeneralCategory::for_char(*character) == GeneralCategory::DecimalNumber;
    if !is_digit(&character) {
        return None;
    }
    let before = ('\0'..character).rev().take_while(is_digit).count();
    char::from_digit(u32::try_from(before % 10).ok()?, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_of_a_text_are_the_code() {
        for text in [
            "123456",
            " 123 456\n",
            "123-456",
            "123\u{2013}456",
            "1 2 3 4 5 6",
            "123\u{a0}456\u{200b}",
            "Code: 123456.",
            "１２３４５６",
            "١٢٣٤٥٦",
            "१२३४५६",
            "𝟏𝟚𝟥𝟰𝟻6",
        ] {
            assert_eq!(OneTimeCode::parse(text).ok().as_ref().map(OneTimeCode::expose), Some("123456"), "{text}");
        }
    }

    #[test]
    fn more_or_fewer_digits_are_no_code() {
        for text in ["", "abc", "12345", "1234567", "123456 123456", "①②③④⑤⑥", "²³¹²³¹"] {
            assert!(OneTimeCode::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn digits_of_all_scripts_stand_in_runs_of_ten() {
        let all =
            |from: char| (from..=char::MAX).filter(|c| GeneralCategory::for_char(*c) == GeneralCategory::DecimalNumber);
        let values: Vec<char> = all('\0').filter_map(value_of).collect();
        assert!(values.len() > 600, "{}", values.len());
        assert!(values.chunks(10).all(|run| run.iter().copied().eq('0'..='9')));
    }
}
