//! Redirect targets after a form: only paths of this site.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Maximum length of a redirect target; no page has a longer path.
const BYTES_MAX: usize = 512;

/// The characters to escape in a query value.
const QUERY_VALUE: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'\'').add(b'+').add(b'<').add(b'>').add(b'=');

/// Returns the text if browsers take it for a path on the current site. Browsers read a backslash as a slash and skip tabs and line
/// breaks, so only characters that a path and a query consist of are allowed.
pub(super) fn own_path(text: &str) -> Option<&str> {
    let mut bytes = text.bytes();
    let is_path = bytes.next() == Some(b'/') && bytes.next() != Some(b'/');
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>' | b'#');
    (is_path && text.len() <= BYTES_MAX && text.bytes().all(plain)).then_some(text)
}

/// Escapes a path for use as a query value.
pub(super) fn in_query(path: &str) -> String {
    utf8_percent_encode(path, QUERY_VALUE).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_of_this_site_are_kept_and_nothing_else_is() {
        for path in ["/", "/posts/1", "/posts?after=abc&limit=3", "/a//b", "/@evil.example", "/%2f%2fevil.example"] {
            assert_eq!(own_path(path), Some(path));
        }
        for other in [
            "",
            "posts",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "/a\\b",
            "\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " //evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/ä",
            "/a b",
            "/\r\nset-cookie: a=b",
        ] {
            assert_eq!(own_path(other), None, "{other:?}");
        }
        assert_eq!(own_path(&"/a".repeat(300)), None);
    }

    proptest! {
        #[test]
        fn whatever_is_kept_stays_on_this_origin(text in "[/\\\\a-z:@?#.%\t\n\r \u{0}-\u{7f}]{0,40}") {
            let base = url::Url::parse("https://own.example/login?next=x").unwrap();
            if let Some(path) = own_path(&text) {
                let there = base.join(path).unwrap();
                prop_assert_eq!(there.origin(), base.origin(), "{:?}", text);
            }
        }
    }
}
