//! File names of profile pictures.

use std::fmt;
use std::str::FromStr;

/// The file name of a profile picture: 32 hexadecimal digits in lower case, then `.jpg`. It is random, and the file's
/// content never changes. No other text parses, so a name cannot lead out of the folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PictureFile(String);

/// The text is not the name of a picture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a picture's file")]
pub struct InvalidPictureFile;

const DIGITS: usize = 32;

impl PictureFile {
    /// Creates the name from a random number.
    pub(crate) fn of_random(random: u128) -> Self {
        Self(format!("{random:032x}.jpg"))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the digits alone.
    pub fn digits(&self) -> &str {
        &self.0[..DIGITS]
    }
}

impl FromStr for PictureFile {
    type Err = InvalidPictureFile;

    fn from_str(text: &str) -> Result<Self, InvalidPictureFile> {
        let digits = text.strip_suffix(".jpg").ok_or(InvalidPictureFile)?;
        let all_digits = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits.len() == DIGITS && all_digits { Ok(Self(text.to_owned())) } else { Err(InvalidPictureFile) }
    }
}

impl fmt::Display for PictureFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_32_digits_and_the_ending_are_a_name() {
        let name = PictureFile::of_random(0xabc);
        assert_eq!(name.as_str(), "00000000000000000000000000000abc.jpg");
        assert_eq!(name.as_str().parse(), Ok(name.clone()));
        let digits = name.digits();
        for text in [
            String::new(),
            ".jpg".to_owned(),
            digits.to_owned(),
            format!("{digits}.png"),
            format!("{digits}.jpg\0"),
            format!("{digits}.jpg/"),
            format!("../{}.jpg", &digits[3..]),
            format!("{}.jpg", digits.to_uppercase()),
            format!("0{digits}.jpg"),
        ] {
            assert_eq!(text.parse::<PictureFile>(), Err(InvalidPictureFile), "{text}");
        }
    }
}
