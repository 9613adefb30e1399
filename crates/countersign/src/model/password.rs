//! Passwords: the rules for new ones, and their normalised form.

use icu_normalizer::ComposingNormalizer;
use zeroize::Zeroizing;

use super::common_passwords;

/// A password, normalised to NFC for hashing. It cannot be printed and is wiped on drop.
pub struct Password(Zeroizing<String>);

/// Why a new password is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPassword {
    /// Fewer than 8 characters.
    #[error("String should have at least 8 characters")]
    TooShort,
    /// More than 1,024 bytes. Limits the work, far above what people type.
    #[error("Password should have at most 1024 bytes")]
    TooLong,
}

const PASSWORD_CHARACTERS_MIN: usize = 8;
const PASSWORD_BYTES_MAX: usize = 1_024;

impl Password {
    /// Parses a new password by the rules.
    pub fn choose(text: &str) -> Result<Self, InvalidPassword> {
        let password = Self::presented(text);
        if password.0.chars().count() < PASSWORD_CHARACTERS_MIN {
            return Err(InvalidPassword::TooShort);
        }
        if password.0.len() > PASSWORD_BYTES_MAX {
            return Err(InvalidPassword::TooLong);
        }
        Ok(password)
    }

    /// Normalises a presented password. Any text is accepted, since it is only compared.
    ///
    /// Different keyboards send the same password composed or decomposed; NFC unifies them.
    pub fn presented(text: &str) -> Self {
        Self(Zeroizing::new(ComposingNormalizer::new_nfc().normalize(text).into_owned()))
    }

    /// Whether the password is one of the most common ones.
    pub(crate) fn is_common(&self) -> bool {
        common_passwords::is_common(&self.0)
    }

    /// Returns the bytes to hash.
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted_in_characters_below_and_in_bytes_above() {
        assert_eq!(Password::choose("sieben7").err(), Some(InvalidPassword::TooShort));
        assert!(Password::choose("äöüäöüäö").is_ok());
        assert_eq!(Password::choose("e\u{301}".repeat(7).as_str()).err(), Some(InvalidPassword::TooShort));
        assert!(Password::choose(&"x".repeat(1_024)).is_ok());
        assert_eq!(Password::choose(&"ä".repeat(513)).err(), Some(InvalidPassword::TooLong));
    }

    #[test]
    fn composed_and_decomposed_are_one_password() {
        assert_eq!(Password::presented("caf\u{e9}").expose(), Password::presented("cafe\u{301}").expose());
    }
}
