//! Users, and the rules for usernames.

use std::fmt;

use icu_casemap::CaseMapper;
use icu_normalizer::ComposingNormalizer;
use icu_properties::props::{BinaryProperty as _, DefaultIgnorableCodePoint, EnumeratedProperty as _, GeneralCategory};

use super::visible::{is_legible, longest_stack, shows_something};
use super::{EmailAddress, Language};

crate::entity_id! {
    /// The id of a user.
    pub UserId
}

/// A user as operations return one, without the password hash.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The public name as typed.
    pub username: String,
    /// The private address in lower case.
    pub email: String,
    /// The profile picture's file name.
    pub image_file: Option<String>,
}

impl User {
    /// Returns the public part.
    pub fn profile(&self) -> Profile {
        Profile { id: self.id, username: self.username.clone(), image_file: self.image_file.clone() }
    }
}

/// The public part of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The id.
    pub id: UserId,
    /// The public name.
    pub username: String,
    /// The profile picture's file name.
    pub image_file: Option<String>,
}

impl Profile {
    /// The profile of a row of the view `auth_user_profiles`.
    pub fn new(id: UserId, username: String, image_file: Option<String>) -> Self {
        Self { id, username, image_file }
    }
}

/// Whether a user's address is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verification {
    Verified,
    Unverified,
}

/// The state of a user's address.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmailState {
    /// Whether the user has proven that they read it.
    pub is_verified: bool,
    /// The new address, which waits to be proven.
    pub pending: Option<EmailAddress>,
}

/// A user as a recipient of mail.
pub(crate) struct Contact {
    pub(crate) username: String,
    pub(crate) email: EmailAddress,
    /// The user's language, or `None` if it was never set.
    pub(crate) language: Option<Language>,
    /// Whether the address is verified. If not, its reader may be a stranger.
    pub(crate) verification: Verification,
}

/// A valid username, and the key that makes it unique.
#[derive(Clone, PartialEq, Eq)]
pub struct Username {
    text: String,
    key: String,
}

/// Why a text is not a valid username.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUsername {
    /// No visible character is left.
    #[error("Username should have at least 1 visible character")]
    Blank,
    /// More than 50 characters.
    #[error("String should have at most 50 characters")]
    TooLong,
    /// A control or unassigned character, or an invisible one that its context does not need.
    #[error("Username should not contain control or invisible characters")]
    Unprintable,
    /// More than 4 combining marks on one character, which would overlap other lines.
    #[error("Username should have at most 4 combining marks in a row")]
    Stacked,
    /// An at sign, which would make the name look like an e-mail address.
    #[error("Username should not contain @")]
    AtSign,
}

const USERNAME_CHARACTERS_MAX: usize = 50;
/// From UTS #39, section 5.4: enough for the languages in use today.
const MARKS_IN_A_ROW_MAX: usize = 4;

impl Username {
    /// Trims, collapses spaces, normalises to NFC and checks: 1 to 50 characters of any script, at least one of them
    /// visible. Invisible characters are accepted where a script or an emoji needs them: joiners by rules A1, A2 and B
    /// of UAX #31, section 2.3, and in emoji sequences; variation selectors after a base character.
    pub fn parse(text: &str) -> Result<Self, InvalidUsername> {
        let text = with_single_spaces(&ComposingNormalizer::new_nfc().normalize(text.trim()));
        if !shows_something(&text) {
            return Err(InvalidUsername::Blank);
        }
        if text.chars().count() > USERNAME_CHARACTERS_MAX {
            return Err(InvalidUsername::TooLong);
        }
        let characters: Vec<char> = text.chars().collect();
        if !is_legible(&characters) {
            return Err(InvalidUsername::Unprintable);
        }
        if longest_stack(&characters) > MARKS_IN_A_ROW_MAX {
            return Err(InvalidUsername::Stacked);
        }
        let key = caseless_key(&text);
        if key.contains('@') {
            return Err(InvalidUsername::AtSign);
        }
        Ok(Self { text, key })
    }

    /// Returns the name as displayed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the key, which is equal for names that differ only in case, compatibility forms or invisible characters.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// Collapses runs of spaces, which browsers show as one.
fn with_single_spaces(text: &str) -> String {
    let mut single = String::with_capacity(text.len());
    for character in text.chars() {
        match GeneralCategory::for_char(character) {
            GeneralCategory::SpaceSeparator if single.ends_with(' ') => {}
            GeneralCategory::SpaceSeparator => single.push(' '),
            _ => single.push(character),
        }
    }
    single
}

/// Returns the key for Unicode's caseless compatibility match (The Unicode Standard, section 3.13, D146): NFKC and full
/// case folding until stable, without ignorable characters.
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
        assert_eq!(Username::parse("Ada \u{a0}\u{3000}Lovelace").unwrap().as_str(), "Ada Lovelace");
        assert!(Username::parse(&"ä".repeat(50)).is_ok());
        // A letter with four marks, as in Hebrew.
        assert!(Username::parse("ש\u{5c1}\u{5bc}\u{5b8}\u{5bd}").is_ok());
    }

    #[test]
    fn invisible_and_misleading_names_are_refused() {
        use InvalidUsername::{AtSign, Blank, Stacked, TooLong, Unprintable};
        for (name, reason) in [
            ("", Blank),
            (" \u{a0} ", Blank),
            ("\u{3164}", Blank),
            ("\u{2800}", Blank),
            ("\u{fe0f}", Blank),
            ("\u{200d}\u{ad}", Blank),
            ("\u{301}\u{20dd}", Blank),
            ("a\u{3164}b", Unprintable),
            ("a\u{2800}b", Unprintable),
            ("a\u{34f}b", Unprintable),
            ("a\u{200d}b", Unprintable),
            ("a\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}", Stacked),
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
            ("می\u{200c}خواهم", "میخواهم"),
            ("ශ්\u{200d}රී", "ශ්රී"),
            ("👩\u{200d}💻", "👩💻"),
            ("葛\u{e0100}城", "葛城"),
            ("ada  lovelace", "ada\u{2003}lovelace"),
        ] {
            assert_eq!(Username::parse(one).unwrap().key(), Username::parse(other).unwrap().key(), "{one} {other}");
        }
        assert_ne!(Username::parse("ada").unwrap().key(), Username::parse("adá").unwrap().key());
    }

    #[test]
    fn no_invisible_character_makes_another_name_of_a_taken_one() {
        // Independently of the rules for names, these are invisible between two characters: by their Unicode
        // properties, and in common fonts.
        let is_invisible = |c: &char| {
            let category = GeneralCategory::for_char(*c);
            DefaultIgnorableCodePoint::for_char(*c)
                || matches!(category, GeneralCategory::Control | GeneralCategory::Format)
                || matches!(category, GeneralCategory::LineSeparator | GeneralCategory::ParagraphSeparator)
                || "\u{2800}\u{3164}\u{ffa0}\u{115f}\u{1160}\u{fffc}\u{13441}\u{13442}\u{16fe4}\u{1d159}\u{1039}\u{17d2}"
                    .contains(*c)
        };
        let invisible: Vec<char> = ('\0'..=char::MAX).filter(is_invisible).collect();
        assert!(invisible.len() > 4_000, "{}", invisible.len());
        for taken in [
            "ada",
            "e\u{301}",
            "李小",
            "محمد",
            "می\u{200c}خ",
            "क्ष",
            "क्\u{200d}ष",
            "한국",
            "ᠮᠣᠩ",
            "👩\u{200d}💻",
            "❤\u{fe0f}",
            "a b",
        ] {
            let key = Username::parse(taken).unwrap().key().to_owned();
            let places = taken.char_indices().map(|(at, _)| at).chain([taken.len()]);
            for (at, character) in places.flat_map(|at| invisible.iter().map(move |character| (at, *character))) {
                let mut alike = taken.to_owned();
                alike.insert(at, character);
                if let Ok(name) = Username::parse(&alike) {
                    assert_eq!(name.key(), key, "{alike:?}");
                }
                assert!(!shows_something(&character.to_string()), "{character:?}");
            }
        }
    }
}
