//! Visible and invisible characters, and where a script needs an invisible one. It is separate from the text types,
//! because names, addresses, codes and a host's own fields share these rules.

use icu_properties::props::{
    BinaryProperty as _, CanonicalCombiningClass, DefaultIgnorableCodePoint, EmojiModifier, EnumeratedProperty as _,
    ExtendedPictographic, GeneralCategory, GeneralCategoryGroup, IndicSyllabicCategory, JoiningType, Script,
    VariationSelector,
};

/// Whether a text shows anything to a reader. Whitespace, controls, fillers, joiners, other characters without a glyph,
/// and combining marks, which need a character before them, show nothing.
///
/// ```
/// use countersign::model::shows_something;
///
/// assert!(shows_something(" a "));
/// assert!(!shows_something(" \u{200b}\u{2800}\u{3164}\u{301}"));
/// ```
pub fn shows_something(text: &str) -> bool {
    text.chars().any(|character| !is_empty(character) && !GeneralCategoryGroup::Mark.contains(category(character)))
}

/// Removes what copying leaves at the ends of a text: whitespace, and characters that are invisible everywhere.
pub(crate) fn trim_pasted(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || DefaultIgnorableCodePoint::for_char(character))
}

/// Whether each character of a text is visible, whitespace, or invisible where its script or an emoji needs it. The
/// work grows with the square of the length, so callers should limit it.
pub(super) fn is_legible(text: &[char]) -> bool {
    (0..text.len()).all(|at| {
        let (before, after) = (&text[..at], &text[at + 1..]);
        match text[at] {
            NON_JOINER => parts_cursive_letters(before, after) || parts_a_conjunct(before, after),
            JOINER => joins_pictographs(before, after) || shapes_a_conjunct(before, after),
            selector if VariationSelector::for_char(selector) => before.last().is_some_and(|base| !is_empty(*base)),
            stacker if stacks_letters(stacker) => is_between_letters(Script::for_char(stacker), before, after),
            character => is_printable(character),
        }
    })
}

/// Returns the length of the longest run of marks drawn above, below or around one character.
pub(super) fn longest_stack(text: &[char]) -> usize {
    let (mut longest, mut marks) = (0, 0);
    for character in text.iter().filter(|character| !DefaultIgnorableCodePoint::for_char(**character)) {
        marks = if is_stacked(*character) { marks + 1 } else { 0 };
        longest = longest.max(marks);
    }
    longest
}

const NON_JOINER: char = '\u{200c}';
const JOINER: char = '\u{200d}';
const EMOJI_PRESENTATION: char = '\u{fe0f}';

/// Characters with an empty glyph, although their properties are those of letters and symbols: the object replacement
/// character, the empty Braille pattern, a filler of Khitan, blanks of Egyptian hieroglyphs, and a note without a head.
const WITHOUT_GLYPH: [char; 6] = ['\u{2800}', '\u{fffc}', '\u{13441}', '\u{13442}', '\u{16fe4}', '\u{1d159}'];

fn category(character: char) -> GeneralCategory {
    GeneralCategory::for_char(character)
}

/// Whether a character shows nothing in any context.
fn is_empty(character: char) -> bool {
    character.is_whitespace()
        || DefaultIgnorableCodePoint::for_char(character)
        || WITHOUT_GLYPH.contains(&character)
        || matches!(category(character), GeneralCategory::Control | GeneralCategory::Format)
}

/// Whether a character is visible on every device, or a space.
fn is_printable(character: char) -> bool {
    match category(character) {
        GeneralCategory::SpaceSeparator => true,
        GeneralCategory::PrivateUse | GeneralCategory::Unassigned => false,
        _ => !is_empty(character),
    }
}

fn is_stacked(character: char) -> bool {
    matches!(category(character), GeneralCategory::NonspacingMark | GeneralCategory::EnclosingMark)
}

/// Rule A1 of UAX #31, section 2.3: a non-joiner separates two letters that would be joined.
fn parts_cursive_letters(before: &[char], after: &[char]) -> bool {
    let is_letter = |character: &&char| JoiningType::for_char(**character) != JoiningType::Transparent;
    let (Some(left), Some(right)) = (before.iter().rev().find(is_letter), after.iter().find(is_letter)) else {
        return false;
    };
    matches!(JoiningType::for_char(*left), JoiningType::DualJoining | JoiningType::LeftJoining)
        && matches!(JoiningType::for_char(*right), JoiningType::DualJoining | JoiningType::RightJoining)
        && Script::for_char(*left) == Script::for_char(*right)
}

/// Rule A2: a non-joiner after a virama keeps two consonants from forming a conjunct.
fn parts_a_conjunct(before: &[char], after: &[char]) -> bool {
    let right = after.iter().find(|character| !is_reordered_mark(**character));
    let is_letter = |character: &char| GeneralCategoryGroup::Letter.contains(category(*character));
    virama_of(before).is_some_and(|script| right.is_some_and(|c| is_letter(c) && Script::for_char(*c) == script))
}

/// Rule B: a joiner after a virama selects a form of the consonant, unless a dependent vowel follows.
fn shapes_a_conjunct(before: &[char], after: &[char]) -> bool {
    let is_vowel =
        |character: &char| IndicSyllabicCategory::for_char(*character) == IndicSyllabicCategory::VowelDependent;
    virama_of(before).is_some() && !after.first().is_some_and(is_vowel)
}

/// Returns the script of the virama at the end of a text, if it follows a letter of that script.
fn virama_of(before: &[char]) -> Option<Script> {
    let is_virama = |character: char| CanonicalCombiningClass::for_char(character) == CanonicalCombiningClass::Virama;
    let others = before.iter().rev().take_while(|c| is_reordered_mark(**c) && !is_virama(**c)).count();
    let (virama, base) = before[..before.len() - others].split_last()?;
    let letter = base.iter().rev().find(|character| category(**character) != GeneralCategory::NonspacingMark)?;
    let script = Script::for_char(*virama);
    let is_theirs = GeneralCategoryGroup::Letter.contains(category(*letter)) && Script::for_char(*letter) == script;
    (is_virama(*virama) && is_theirs).then_some(script)
}

/// Whether normalisation may reorder this mark among its neighbours.
fn is_reordered_mark(character: char) -> bool {
    category(character) == GeneralCategory::NonspacingMark
        && CanonicalCombiningClass::for_char(character) != CanonicalCombiningClass::NotReordered
}

/// Whether a joiner connects two emoji (UTS #51, definition ED-15a).
fn joins_pictographs(before: &[char], after: &[char]) -> bool {
    let before = match before {
        [base @ .., last] if *last == EMOJI_PRESENTATION || EmojiModifier::for_char(*last) => base,
        whole => whole,
    };
    let is_pictograph = |character: &char| ExtendedPictographic::for_char(*character);
    before.last().is_some_and(is_pictograph) && after.first().is_some_and(is_pictograph)
}

/// Whether an invisible character stacks two letters or digits of its script.
fn stacks_letters(character: char) -> bool {
    const TIFINAGH_CONSONANT_JOINER: char = '\u{2d7f}';
    matches!(
        IndicSyllabicCategory::for_char(character),
        IndicSyllabicCategory::InvisibleStacker | IndicSyllabicCategory::NumberJoiner
    ) || character == TIFINAGH_CONSONANT_JOINER
}

fn is_between_letters(script: Script, before: &[char], after: &[char]) -> bool {
    let is_mark = |character: char| GeneralCategoryGroup::Mark.contains(category(character));
    let left = before.iter().rev().find(|character| !is_mark(**character));
    let right = after.first().filter(|character| !is_mark(**character));
    [left, right].iter().all(|beside| beside.is_some_and(|character| Script::for_char(*character) == script))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legible(text: &str) -> bool {
        is_legible(&text.chars().collect::<Vec<_>>())
    }

    #[test]
    fn joiners_stand_where_a_script_or_an_emoji_needs_them() {
        for text in [
            // Persian: "I want", a plural, and a mark between letter and joiner.
            "می\u{200c}خواهم",
            "کتاب\u{200c}ها",
            "بُ\u{200c}هم",
            // Devanagari, Bengali, Sinhala, Malayalam.
            "क्\u{200c}ष",
            "क्\u{200d}ष",
            "क़्\u{200d}ष",
            "ক্\u{200d}ষ",
            "ශ්\u{200d}රී",
            "അവന്\u{200d}",
            // Emoji: a family, a skin tone, a presentation selector, and one that ends in such a selector.
            "👩\u{200d}👩\u{200d}👧",
            "👩🏽\u{200d}💻",
            "❤\u{fe0f}\u{200d}🔥",
            "🕵🏽\u{200d}♂\u{fe0f}",
            "🏳\u{fe0f}\u{200d}🌈",
        ] {
            assert!(legible(text), "{text}");
        }
    }

    #[test]
    fn joiners_stand_nowhere_else() {
        for joiner in [NON_JOINER, JOINER] {
            for (before, after) in [
                ("", ""),
                ("a", "b"),
                ("a", ""),
                ("", "a"),
                ("李", "小"),
                ("ад", "а"),
                // Nothing is joined there, or nothing follows.
                ("ا", "ه"),
                ("ب", ""),
                ("ب", " ه"),
                ("क", "ष"),
                ("a\u{94d}", "ष"),
                ("\u{94d}", "ष"),
                ("क्\u{200c}", "ष"),
                ("क्\u{200d}", "ष"),
                // An emoji and another character.
                ("👩", ""),
                ("👩", "a"),
                ("a", "👩"),
                ("👩\u{200d}", "👩"),
                ("👩\u{fe0f}\u{fe0f}", "👩"),
            ] {
                assert!(!legible(&format!("{before}{joiner}{after}")), "{before:?} {joiner:?} {after:?}");
            }
        }
        // Each joiner has its own places.
        for text in ["می\u{200d}خواهم", "👩\u{200c}👩", "क्\u{200d}\u{93f}", "क्\u{200c}", "ب\u{200c}ܒ"]
        {
            assert!(!legible(text), "{text:?}");
        }
    }

    #[test]
    fn a_stacker_stands_between_letters_of_its_script() {
        for text in ["ស្ត្រី", "မြန္မာ", "အင်္ဂလိပ်"] {
            assert!(legible(text), "{text}");
        }
        for text in ["ada\u{17d2}", "a\u{1039}da", "\u{17d2}ត", "ស\u{17d2}", "ស\u{17d2}a", "ស\u{17d2}\u{17d2}ត"]
        {
            assert!(!legible(text), "{text:?}");
        }
    }

    #[test]
    fn a_variation_selector_follows_what_it_varies() {
        for text in ["❤\u{fe0f}", "葛\u{e0100}城", "ᠮ\u{180b}ᠣ", "1\u{fe0f}\u{20e3}"] {
            assert!(legible(text), "{text}");
        }
        for text in ["\u{fe0f}", "\u{fe0f}❤", "❤\u{fe0f}\u{fe0f}", "a \u{fe0f}b"] {
            assert!(!legible(text), "{text:?}");
        }
    }

    #[test]
    fn what_copying_brings_along_is_trimmed() {
        for text in
            ["ada", " ada\t", "\u{a0}ada\r\n", "\u{feff}ada", "\u{200b}\u{200e} ada\u{2069}\u{3000}", "ada\u{ad}"]
        {
            assert_eq!(trim_pasted(text), "ada", "{text:?}");
        }
        assert_eq!(trim_pasted(" \u{feff} "), "");
        assert_eq!(trim_pasted("a\u{200b}b"), "a\u{200b}b");
    }
}
