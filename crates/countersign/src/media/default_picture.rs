//! The default picture of a user: the first letter of the name on a colour derived from the id, as SVG.

use uuid::Uuid;

/// Number of hues; few enough to be told apart.
const HUES: u16 = 24;

/// Returns a square SVG image. Its letter is the first alphanumeric character of the name in upper case, if there is
/// one.
pub(crate) fn default_picture(id: Uuid, username: &str) -> String {
    // The last bytes of an id are random; the first are a timestamp.
    let random = u16::from_be_bytes([id.as_bytes()[14], id.as_bytes()[15]]);
    let hue = random % HUES * (360 / HUES);
    let letter: String = username
        .chars()
        .find(|character| character.is_alphanumeric())
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    // An alphanumeric character needs no escaping.
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 300 300\" width=\"300\" height=\"300\">\
         <rect width=\"300\" height=\"300\" fill=\"hsl({hue} 45% 42%)\"/>\
         <text x=\"150\" y=\"150\" dy=\".35em\" text-anchor=\"middle\" font-family=\"system-ui,sans-serif\" \
         font-size=\"140\" fill=\"#fff\">{letter}</text></svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_picture_has_the_first_letter_and_never_markup() {
        let id = Uuid::from_u128(7);
        assert!(default_picture(id, "ada").contains(">A</text>"));
        assert!(default_picture(id, "<script>").contains(">S</text>"));
        assert!(default_picture(id, "\"'&").contains("></text>"));
        assert!(default_picture(id, "李小龍").contains(">李</text>"));
        assert_ne!(default_picture(id, "ada"), default_picture(Uuid::from_u128(8), "ada"));
    }
}
