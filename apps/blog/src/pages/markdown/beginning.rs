//! Cuts the beginning of a rendered document by its visible length. Excerpts and summaries use it with two lengths.

use icu_properties::props::{EnumeratedProperty as _, GraphemeClusterBreak};
use pulldown_cmark::{CowStr, Event, Tag, TagEnd};

/// A word of this length or more is cut in the middle.
const WORD_CHARS_MAX: usize = 40;
/// Maximum number of code points considered per grapheme: some texts put a thousand accents on a letter.
const GRAPHEME_CHARS_MAX: usize = 32;
/// Bytes of a link's URL that count as one character, because many long URLs make a long text, too.
const URL_BYTES_PER_CHAR: usize = 32;
const ELLIPSIS: char = '…';

/// The beginning of a document, with all tags closed.
pub(super) struct Beginning<'t> {
    pub(super) events: Vec<Event<'t>>,
    /// Whether the document has more.
    pub(super) cut: bool,
}

/// Takes up to `chars_max` characters, ending at a word boundary if possible. Invisible elements count a little, so
/// that a thousand empty lists do not pass as short.
pub(super) fn beginning<'t>(document: impl Iterator<Item = Event<'t>>, chars_max: usize) -> Beginning<'t> {
    let (mut events, mut open) = (Vec::new(), Vec::new());
    let (mut left, mut before) = (chars_max, Before::Gap);
    for event in document {
        let fits = match &event {
            Event::Text(text) | Event::Code(text) => {
                let count = text.chars().take(left + 1).count();
                if count > left {
                    let start = start_of(text, left, before);
                    if !start.is_empty() {
                        events.push(with_text(&event, start.to_owned()));
                    }
                    false
                } else {
                    left -= count;
                    before = if text.ends_with(char::is_whitespace) { Before::Gap } else { Before::Word };
                    true
                }
            }
            Event::End(_) => {
                open.pop();
                true
            }
            other => {
                let cost = cost(other);
                if !matches!(other, Event::Start(Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. })) {
                    before = Before::Gap;
                }
                if let (Event::Start(tag), true) = (other, cost <= left) {
                    open.push(tag.to_end());
                }
                cost <= left && {
                    left -= cost;
                    true
                }
            }
        };
        if !fits {
            end(&mut events, open);
            return Beginning { events, cut: true };
        }
        events.push(event);
    }
    Beginning { events, cut: false }
}

/// What precedes a text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A space, or the beginning of a line.
    Gap,
    /// A word that the text may continue.
    Word,
}

fn cost(event: &Event<'_>) -> usize {
    match event {
        Event::Start(Tag::Link { dest_url, .. }) => 1 + dest_url.len() / URL_BYTES_PER_CHAR,
        _ => 1,
    }
}

/// Appends an ellipsis and closes open tags.
fn end(events: &mut Vec<Event<'_>>, open: Vec<TagEnd>) {
    let last = events.iter_mut().rev().find_map(|event| match event {
        Event::Text(text) | Event::Code(text) if !text.trim().is_empty() => Some(text),
        _ => None,
    });
    if let Some(text) = last {
        *text = CowStr::from(format!("{}{ELLIPSIS}", text.trim_end()));
    }
    events.extend(open.into_iter().rev().map(Event::End));
}

fn with_text<'t>(event: &Event<'t>, text: String) -> Event<'t> {
    match event {
        Event::Code(_) => Event::Code(text.into()),
        _ => Event::Text(text.into()),
    }
}

/// Returns the part that fits of a text with more than `chars` characters.
fn start_of(text: &str, chars: usize, before: Before) -> &str {
    let end = text.char_indices().nth(chars).map_or(text.len(), |(end, _)| end);
    let (start, rest) = text.split_at(end);
    if rest.starts_with(char::is_whitespace) {
        return start;
    }
    let word: usize =
        start.chars().rev().take(WORD_CHARS_MAX).take_while(|c| !c.is_whitespace()).map(char::len_utf8).sum();
    let is_short = start[end - word..].chars().count() < WORD_CHARS_MAX;
    if is_short && (word < end || before == Before::Gap) {
        return &start[..end - word];
    }
    &start[..grapheme_end(text, end)]
}

/// Returns the last grapheme boundary up to `end`.
fn grapheme_end(text: &str, end: usize) -> usize {
    let mut at = end;
    for _ in 0..GRAPHEME_CHARS_MAX {
        let (Some(last), Some(next)) = (text[..at].chars().next_back(), text[at..].chars().next()) else { return at };
        if !belong_together(&text[..at], last, next) {
            return at;
        }
        at -= last.len_utf8();
    }
    end
}

/// Returns whether two characters belong to one grapheme, by the rules of UAX 29, section 3.1.1, that matter in human
/// text.
fn belong_together(until: &str, last: char, next: char) -> bool {
    use GraphemeClusterBreak as Class;
    let of = Class::for_char;
    match (of(last), of(next)) {
        (_, Class::Extend | Class::ZWJ | Class::SpacingMark)
        | (Class::ZWJ | Class::Prepend, _)
        | (Class::L, Class::L | Class::V | Class::LV | Class::LVT)
        | (Class::LV | Class::V, Class::V | Class::T)
        | (Class::LVT | Class::T, Class::T) => true,
        // Flags are pairs of these.
        (Class::RegionalIndicator, Class::RegionalIndicator) => {
            until.chars().rev().take_while(|c| of(*c) == Class::RegionalIndicator).count() % 2 == 1
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Rendered, SUMMARY_CHARS_MAX, excerpt, summary};

    fn html_of(text: &str) -> String {
        excerpt(text, "Table").html.to_string()
    }

    #[test]
    fn a_long_text_is_cut_where_a_word_ends() {
        let text = "word ".repeat(400);
        let beginning = excerpt(&text, "Table");
        assert!(beginning.cut);
        assert!(beginning.html.ends_with("word…</p>\n"), "{}", beginning.html);
        assert!(!excerpt("short", "Table").cut);
        assert_eq!(summary("# A\n\n**b** <i>c</i>\nd"), "A b <i>c</i> d");
        assert_eq!(summary("# A\n\n*b*c [d](/e)f"), "A bc df");
        assert_eq!(summary(&text).chars().count(), SUMMARY_CHARS_MAX);
    }

    #[test]
    fn what_is_cut_is_what_can_be_seen() {
        let words = ["word"; 60].join(" ");
        for (text, start, is_cut) in [
            // Markup that a naive cut would split.
            (format!("[{words}](https://a.example/{}) end", "x".repeat(900)), "<p dir=\"auto\"><a href", false),
            (format!("**{words}{words}{words}{words}** end"), "<p dir=\"auto\"><strong>word", true),
            (format!("> - {words}{words}{words}{words}"), "<blockquote dir=\"auto\">\n<ul>\n<li>word", true),
            // A link whose URL is at the end of the text.
            (
                format!("[x][1] {words}{words}{words}{words}\n\n[1]: https://a.example"),
                "<p dir=\"auto\"><a href=\"https://a.example\"",
                true,
            ),
            (format!("|a|\n|-|\n|{words}{words}{words}{words}|\n|b|"), "<div", true),
        ] {
            let Rendered { html, cut } = excerpt(&text, "Table");
            assert!(html.starts_with(start), "{text}: {html}");
            assert_eq!((cut, html.contains('…')), (is_cut, is_cut), "{text}: {html}");
            for mark in ["**", "](", "][", "|"] {
                assert!(!html.contains(mark) && !summary(&text).contains(mark), "{text}: {html}");
            }
            for tag in ["p", "strong", "blockquote", "ul", "li", "table", "td", "div"] {
                let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
                assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}: {html}");
            }
        }
    }

    #[test]
    fn no_character_is_torn() {
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        for letter in ["e\u{301}", family, "\u{1f1e9}\u{1f1ea}", "\u{1100}\u{1161}\u{11a8}", "\u{1f44d}\u{1f3fd}"] {
            for shift in ["", "a", "ab", "abc"] {
                let summary = summary(&format!("{shift}{}", letter.repeat(300)));
                let letters = summary.trim_start_matches(shift).trim_end_matches('…');
                assert_eq!(letters.replace(letter, ""), "", "{letter:?} after {shift:?}: {summary:?}");
            }
        }
        // Text that consists only of accents is cut anyway.
        assert!(summary(&format!("a{}", "\u{301}".repeat(9_000))).chars().count() <= SUMMARY_CHARS_MAX + 1);
    }

    #[test]
    fn a_beginning_is_short_whatever_the_text_is() {
        for piece in [
            "- \n",
            "[a]: b\n",
            "> ",
            "|a|b|\n|-|-|\n",
            "[](https://a.example/aaaaaaaaaaaaaaaaaaaaaaaa) ",
            "**a** ",
            "\\\n",
            "&amp;",
        ] {
            let html = html_of(&piece.repeat(1_000_000 / piece.len()));
            assert!(html.len() < 100_000, "{piece:?} becomes {} bytes", html.len());
        }
        let links = format!("{}\n\n[a]: https://a.example/{}", "[a] ".repeat(10_000), "x".repeat(1_000));
        assert!(html_of(&links).len() < 100_000);
    }
}
