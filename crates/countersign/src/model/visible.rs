//! Which characters of a text show something: apart from the types of texts, because addresses, secrets and names ask the same.

use icu_properties::props::{BinaryProperty as _, DefaultIgnorableCodePoint};

/// The text without what copying brings along at its ends: white space, and characters that are invisible everywhere.
pub(crate) fn trim_pasted(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_whitespace() || DefaultIgnorableCodePoint::for_char(character))
}

#[cfg(test)]
mod tests {
    use super::*;

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
