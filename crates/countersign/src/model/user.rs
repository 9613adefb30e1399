//! Users, and which names they may take.

use std::fmt;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;
use icu_properties::props::{BinaryProperty as _, DefaultIgnorableCodePoint, EnumeratedProperty as _, GeneralCategory};

use super::{EmailAddress, Language};

crate::entity_id! {
    /// A user's id.
    pub UserId
}

/// A user as the operations see one. The password hash is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The public name, as it was typed.
    pub username: String,
    /// The private address, lower-cased.
    pub email: String,
    /// The profile picture's file name.
    pub image_file: Option<String>,
}

impl User {
    /// What everybody may see of them.
    pub fn profile(&self) -> Profile {
        Profile { id: self.id, username: self.username.clone(), image_file: self.image_file.clone() }
    }
}

/// What everybody may see of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The id.
    pub id: UserId,
    /// The public name.
    pub username: String,
    /// The profile picture's file name.
    pub image_file: Option<String>,
}

/// Whether a user has shown that they read their address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verification {
    Verified,
    Unverified,
}

/// How a user's address stands.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailState {
    /// Whether they have shown that they read it.
    pub is_verified: bool,
    /// The address that takes its place when that is proven.
    pub pending: Option<EmailAddress>,
}

/// How mail reaches a user.
pub(crate) struct Contact {
    pub(crate) username: String,
    pub(crate) email: EmailAddress,
    /// What they read; `None` when they never said.
    pub(crate) language: Option<Language>,
    /// Whether they have shown that they read the address; who has not may be a stranger who typed it.
    pub(crate) verification: Verification,
}

/// A name that passed [`Username::parse`], and the key that it is unique by.
#[derive(Clone, PartialEq, Eq)]
pub struct Username {
    text: String,
    key: String,
}

/// Why a text is not a username.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUsername {
    /// Nothing visible is left.
    #[error("Username should have at least 1 visible character")]
    Blank,
    /// More than 50 characters.
    #[error("String should have at most 50 characters")]
    TooLong,
    /// A control, bidirectional, zero-width or unassigned character.
    #[error("Username should not contain control or invisible characters")]
    Unprintable,
    /// An at sign would make it look like an e-mail address.
    #[error("Username should not contain @")]
    AtSign,
}

const USERNAME_CHARACTERS_MAX: usize = 50;

impl Username {
    /// Trims, normalises to NFC and checks: 1 to 50 characters of any script, all printable, at least one visible.
    pub fn parse(text: &str) -> Result<Self, InvalidUsername> {
        let text = ComposingNormalizer::new_nfc().normalize(text.trim()).into_owned();
        if text.chars().any(is_unprintable) {
            return Err(InvalidUsername::Unprintable);
        }
        if text.chars().all(is_blank) {
            return Err(InvalidUsername::Blank);
        }
        if text.chars().count() > USERNAME_CHARACTERS_MAX {
            return Err(InvalidUsername::TooLong);
        }
        let key = caseless_key(&text);
        if key.contains('@') {
            return Err(InvalidUsername::AtSign);
        }
        Ok(Self { text, key })
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Equal for two names that differ only in case or in compatible forms of the same characters.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// Controls, format characters (bidirectional, zero-width), line separators, private use and unassigned ones.
fn is_unprintable(character: char) -> bool {
    matches!(
        GeneralCategory::for_char(character),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
    )
}

/// Shows nothing by itself: white space, fillers, variation selectors, and the empty Braille pattern.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || DefaultIgnorableCodePoint::for_char(character) || character == '\u{2800}'
}

/// Unicode's caseless compatibility match (The Unicode Standard, section 3.13, D146): NFKC and full case folding until
/// neither changes anything, ignorable characters left out.
fn caseless_key(text: &str) -> String {
    let nfkc = ComposingNormalizer::new_nfkc();
    let visible: String = text.chars().filter(|c| !DefaultIgnorableCodePoint::for_char(*c)).collect();
    let fold = |text: &str| nfkc.normalize(&CaseMapper::new().fold_string(text)).into_owned();
    fold(&fold(&nfkc.normalize(&visible)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_script_are_taken_as_they_are() {
        for name in ["ada", "Ada Lovelace", "李小龍", "Владимир", "محمد", "O'Neil-Smith", "❤\u{fe0f}", "e\u{301}"]
        {
            assert!(Username::parse(name).is_ok(), "{name}");
        }
        assert_eq!(Username::parse(" e\u{301}ve ").unwrap().as_str(), "éve");
        assert!(Username::parse(&"ä".repeat(50)).is_ok());
    }

    #[test]
    fn invisible_and_misleading_names_are_refused() {
        use InvalidUsername::{AtSign, Blank, TooLong, Unprintable};
        for (name, reason) in [
            ("", Blank),
            (" \u{a0} ", Blank),
            ("\u{3164}", Blank),
            ("\u{2800}", Blank),
            ("a\u{0}b", Unprintable),
            ("a\u{200b}b", Unprintable),
            ("\u{202e}ada", Unprintable),
            ("a\u{2028}b", Unprintable),
            ("ada@home", AtSign),
            ("ada\u{ff20}home", AtSign),
        ] {
            assert_eq!(Username::parse(name).unwrap_err(), reason, "{name:?}");
        }
        assert_eq!(Username::parse(&"a".repeat(51)).unwrap_err(), TooLong);
    }

    #[test]
    fn names_that_differ_only_in_case_or_form_share_a_key() {
        for (one, other) in [
            ("Ada", "ADA"),
            ("straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("ﬁn", "FIN"),
            ("Ａda", "ada"),
            ("❤\u{fe0f}", "❤"),
        ] {
            assert_eq!(Username::parse(one).unwrap().key(), Username::parse(other).unwrap().key(), "{one} {other}");
        }
        assert_ne!(Username::parse("ada").unwrap().key(), Username::parse("adá").unwrap().key());
    }
}
