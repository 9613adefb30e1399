//! Languages: tags, text direction, and negotiation of the best available one.

use std::cmp::Reverse;
use std::fmt;

use unic_langid::{CharacterDirection, LanguageIdentifier};

/// A language by its tag (BCP 47), for example `en`, `de` or `pt-BR`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(LanguageIdentifier);

/// The text is not a language tag of language, script, region and variants, or is longer than 35 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a language tag such as en, de or pt-BR")]
pub struct InvalidLanguage;

/// The length that RFC 5646, section 4.4.1, recommends to support.
const TAG_BYTES_MAX: usize = 35;
/// Further languages in a header are ignored.
const RANGES_MAX: usize = 32;

impl Language {
    /// Parses a tag, ignoring case.
    pub fn parse(tag: &str) -> Result<Self, InvalidLanguage> {
        // The parser accepts other characters in some places.
        let is_of_a_tag = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if tag.len() > TAG_BYTES_MAX || !tag.bytes().all(is_of_a_tag) {
            return Err(InvalidLanguage);
        }
        let identifier: LanguageIdentifier = tag.parse().map_err(|_| InvalidLanguage)?;
        if identifier.language.is_empty() { Err(InvalidLanguage) } else { Ok(Self(identifier)) }
    }

    /// Returns the identifier that plural rules use.
    pub(crate) fn identifier(&self) -> &LanguageIdentifier {
        &self.0
    }

    /// Returns this language without script, region and variants: `pt` of `pt-BR`.
    pub(crate) fn widest(&self) -> Self {
        Self(LanguageIdentifier::from_parts(self.0.language, None, None, &[]))
    }

    /// Returns the value of HTML's `dir`: `ltr` or `rtl`.
    pub fn direction(&self) -> &'static str {
        match self.0.character_direction() {
            CharacterDirection::RTL => "rtl",
            _ => "ltr",
        }
    }

    /// Whether a text has letters that run against this language, for example Arabic ones in English.
    pub(crate) fn is_crossed_by(&self, text: &str) -> bool {
        let is_rtl = self.direction() == "rtl";
        text.chars().any(|c| (c.is_alphabetic() || is_from_right(c)) && is_from_right(c) != is_rtl)
    }

    /// Returns the best match of `available` for this language: the same, a wider one, or another variant of it.
    pub fn closest<'a>(&self, available: &'a [Self]) -> Option<&'a Self> {
        look_up(&self.to_string(), available)
    }

    /// Returns the best match of `available` for an `Accept-Language` header (RFC 9110, section 12.5.4; RFC 4647,
    /// section 3.4), or `None` if nothing matches. Skips elements that cannot be parsed.
    pub fn negotiate<'a>(accept_language: &str, available: &'a [Self]) -> Option<&'a Self> {
        let mut ranges: Vec<(&str, u16)> =
            accept_language.split(',').take(RANGES_MAX).filter_map(parse_range).collect();
        ranges.sort_by_key(|(_, weight)| Reverse(*weight));
        let refused = |language: &Self| {
            let tag = language.to_string();
            ranges.iter().any(|(range, weight)| *weight == 0 && is_within(&tag, range))
        };
        let mut wanted = ranges.iter().filter(|(_, weight)| *weight > 0);
        wanted.find_map(|(range, _)| match *range {
            "*" => available.iter().find(|language| !refused(language)),
            range => look_up(range, available).filter(|language| !refused(language)),
        })
    }
}

/// Whether a character is in one of the right-to-left blocks (`DerivedBidiClass.txt` of Unicode, the defaults of `R`
/// and `AL`).
fn is_from_right(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

impl Default for Language {
    /// English, the only language that has every text.
    fn default() -> Self {
        Self::parse("en").expect("a language tag")
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Parses one element of the header: the range, and its weight in thousandths.
fn parse_range(element: &str) -> Option<(&str, u16)> {
    let mut parts = element.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty() && range.len() <= TAG_BYTES_MAX)?;
    let weight = match parts.next().map(|weight| weight.split_once('=')) {
        None => 1_000,
        Some(Some((name, weight))) if name.trim().eq_ignore_ascii_case("q") => parse_weight(weight.trim())?,
        Some(_) => return None,
    };
    Some((range, weight))
}

/// Parses `0`, `1`, or either with up to three decimals.
fn parse_weight(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

/// Removes subtags from the end of the range until a language matches.
fn look_up<'a>(range: &str, available: &'a [Language]) -> Option<&'a Language> {
    let mut range = range;
    loop {
        let same = |language: &&Language| language.to_string().eq_ignore_ascii_case(range);
        let within = |language: &&Language| is_within(&language.to_string(), range);
        if let Some(found) = available.iter().find(same).or_else(|| available.iter().find(within)) {
            return Some(found);
        }
        range = &range[..range.rfind('-')?];
    }
}

/// Whether the tag is the range or begins with it and a hyphen (RFC 4647, section 3.3.1).
fn is_within(tag: &str, range: &str) -> bool {
    let Some(start) = tag.get(..range.len()) else { return false };
    start.eq_ignore_ascii_case(range) && matches!(tag.as_bytes().get(range.len()), None | Some(b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn languages(tags: &[&str]) -> Vec<Language> {
        tags.iter().map(|tag| Language::parse(tag).unwrap()).collect()
    }

    #[test]
    fn tags_are_parsed_into_one_form() {
        for (tag, kept) in [("en", "en"), ("DE", "de"), ("pt-br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW")] {
            assert_eq!(Language::parse(tag).unwrap().to_string(), kept);
        }
        for tag in ["", "*", "und", "e", "en_US!", "en-", "../en", &"a".repeat(36)] {
            assert_eq!(Language::parse(tag), Err(InvalidLanguage), "{tag}");
        }
        assert_eq!(Language::parse("ar").unwrap().direction(), "rtl");
        assert_eq!(Language::default().direction(), "ltr");
    }

    #[test]
    fn letters_that_run_the_other_way_cross_a_language() {
        let of = |tag| Language::parse(tag).unwrap();
        for (tag, text, is_crossed) in [
            ("en", "Zoë 王 (1)", false),
            ("en", "عادل", true),
            ("de", "a שלום", true),
            ("en", "߀ߊ", true),
            ("en", "𞤀", true),
            ("ar", "عادل (1)", false),
            ("ar", "C++", true),
            ("he", "1, 2", false),
        ] {
            assert_eq!(of(tag).is_crossed_by(text), is_crossed, "{tag} {text}");
        }
    }

    #[test]
    fn a_header_chooses_the_language_of_the_highest_weight() {
        let available = languages(&["de", "en", "pt-BR"]);
        for (header, chosen) in [
            ("de", Some("de")),
            ("DE-at", Some("de")),
            ("de-CH-1996, en;q=0.9", Some("de")),
            ("fr, en;q=0.3, de;q=0.7", Some("de")),
            ("fr;q=1.0, de;q=0.700, en;q=0.8", Some("en")),
            ("pt", Some("pt-BR")),
            ("pt-PT", Some("pt-BR")),
            ("fr", None),
            ("fr, *;q=0.1", Some("de")),
            ("de;q=0, *", Some("en")),
            ("de;q=0", None),
            ("de-AT;q=0, de", Some("de")),
            ("", None),
            ("de;q=2, en", Some("en")),
            ("de;q=0.1234, en", Some("en")),
            ("de;level=1, en", Some("en")),
            (";;;,,=,q=1,é-ü;q=1,en", Some("en")),
            ("-,--,en-,e", Some("en")),
        ] {
            let found = Language::negotiate(header, &available).map(ToString::to_string);
            assert_eq!(found.as_deref(), chosen, "{header}");
        }
    }

    #[test]
    fn a_long_header_is_read_only_so_far() {
        let available = languages(&["de", "en"]);
        let header = format!("{}de", "fr,".repeat(RANGES_MAX));
        assert_eq!(Language::negotiate(&header, &available), None);
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_the_negotiation_fail(header in ".{0,200}") {
            Language::negotiate(&header, &languages(&["de", "en"]));
        }
    }
}
