//! Renders users' Markdown: emphasis, lists, quotes, code, tables and links. HTML is shown as text, images become
//! links, and the output is sanitized again.

mod beginning;
mod blocks;
mod harmless;

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use ammonia::{Builder, Url, UrlRelative};
use pulldown_cmark::{Event, Options, Parser, TagEnd, html};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use self::beginning::{Beginning, beginning};
use self::blocks::Blocks;
use self::harmless::{broken_up, harmless, is_harmless, is_shallow, leads_somewhere};

/// Maximum length of an excerpt in a list, in characters.
const EXCERPT_CHARS_MAX: usize = 900;
/// Maximum length of a summary for link previews and feeds, in characters.
const SUMMARY_CHARS_MAX: usize = 200;
/// Bytes at the start of a text from which its beginning is cut.
const BEGINNING_BYTES_MAX: usize = 64 * 1024;
/// Size of the cache of HTML, in bytes. Rendering costs more than the rest of a page.
const KEPT_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Estimated number of cached posts.
const KEPT_ESTIMATE: usize = 4_096;

static KEPT: LazyLock<Cache<[u8; 32], Rendered, Bytes>> =
    LazyLock::new(|| Cache::with_weighter(KEPT_ESTIMATE, KEPT_BYTES_MAX, Bytes));

/// All tags that Markdown can become here.
const TAGS: [&str; 26] = [
    "a",
    "blockquote",
    "br",
    "code",
    "del",
    "div",
    "em",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "tr",
    "ul",
    "wbr",
];

/// The tags that have their own text direction.
const DIRECTED: [&str; 12] = ["blockquote", "div", "h2", "h3", "h4", "h5", "h6", "li", "p", "table", "td", "th"];

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(sanitiser);

fn sanitiser() -> Builder<'static> {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(TAGS))
        .add_tag_attributes("a", &["href"])
        .add_tag_attributes("ol", &["start"])
        .add_tag_attributes("div", &["aria-label"])
        .add_tag_attribute_values("div", "role", &["group"])
        .add_tag_attribute_values("div", "tabindex", &["0"])
        .add_tag_attribute_values("pre", "dir", &["ltr"])
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some("nofollow noopener ugc"));
    for tag in DIRECTED {
        builder.add_tag_attribute_values(tag, "dir", &["auto"]);
    }
    builder
}

/// The heading that a text is placed under; its own headings are one level below.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    /// The title of the page.
    PageTitle,
    /// The title of a post in a list.
    PostTitle,
}

/// A rendered post, or the beginning of one.
#[derive(Clone)]
pub(super) struct Rendered {
    pub(super) html: Arc<str>,
    /// Whether the post has more.
    pub(super) cut: bool,
}

/// Weighs cache entries by their size in bytes.
#[derive(Clone)]
struct Bytes;

impl Weighter<[u8; 32], Rendered> for Bytes {
    fn weight(&self, _: &[u8; 32], rendered: &Rendered) -> u64 {
        u64::try_from(rendered.html.len() + 128).unwrap_or(u64::MAX)
    }
}

/// Renders a whole text for its page. `table` is the accessible name of tables.
pub(super) fn whole(text: &str, table: &str) -> Rendered {
    kept(&["whole", table, text], || {
        let events = shown(text, Below::PageTitle);
        Rendered { html: SANITISER.clean(&markup(events, Some(table))).to_string().into(), cut: false }
    })
}

/// Renders a whole text for a feed, with links relative to `address` made absolute.
pub(super) fn for_feed(text: &str, address: &Url) -> String {
    let mut sanitiser = sanitiser();
    sanitiser.url_relative(UrlRelative::RewriteWithBase(address.clone()));
    sanitiser.clean(&markup(shown(text, Below::PageTitle), None)).to_string()
}

/// Renders the beginning of a text for a list.
pub(super) fn excerpt(text: &str, table: &str) -> Rendered {
    let (start, is_all) = start_of(text);
    kept(&["excerpt", table, if is_all { "" } else { "…" }, start], || {
        let Beginning { events, cut } = beginning(shown(start, Below::PostTitle), EXCERPT_CHARS_MAX);
        let html = SANITISER.clean(&markup(events.into_iter(), Some(table))).to_string().into();
        Rendered { html, cut: cut || !is_all }
    })
}

/// Returns the beginning of a text without markup, on one line.
pub(super) fn summary(text: &str) -> String {
    let (start, _) = start_of(text);
    let mut summary = String::new();
    for event in beginning(shown(start, Below::PageTitle), SUMMARY_CHARS_MAX).events {
        match event {
            Event::Text(text) | Event::Code(text) => summary.push_str(&text),
            Event::HardBreak => summary.push(' '),
            Event::End(tag) if !is_within_words(tag) => summary.push(' '),
            _ => {}
        }
    }
    summary.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_within_words(tag: TagEnd) -> bool {
    matches!(tag, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link)
}

/// Returns the part of a text that its beginning is cut from, and whether it is the whole text.
fn start_of(text: &str) -> (&str, bool) {
    if text.len() <= BEGINNING_BYTES_MAX {
        return (text, true);
    }
    let start = &text[..text.floor_char_boundary(BEGINNING_BYTES_MAX)];
    (start.rsplit_once('\n').map_or(start, |(lines, _)| lines), false)
}

/// Returns the cached result for `parts`, or renders it.
fn kept(parts: &[&str], render: impl FnOnce() -> Rendered) -> Rendered {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    let key = digest.finalize().into();
    if let Some(found) = KEPT.get(&key) {
        return found;
    }
    let rendered = render();
    KEPT.insert(key, rendered.clone());
    rendered
}

/// Parses a text into events that are all safe to render.
fn shown(text: &str, below: Below) -> impl Iterator<Item = Event<'_>> {
    let (mut open_links, mut depth) = (Vec::new(), 0);
    let events = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let events = events.filter(move |event| is_shallow(event, &mut depth)).map(move |event| harmless(event, below));
    events.filter(move |event| leads_somewhere(event, &mut open_links))
}

fn markup<'t>(events: impl Iterator<Item = Event<'t>>, table: Option<&str>) -> String {
    let (mut raw, mut run_bytes, mut blocks) = (String::new(), 0, Blocks::new(table));
    let events = events.flat_map(|event| broken_up(event, &mut run_bytes));
    html::push_html(&mut raw, events.map(|event| blocks.written(event)));
    raw
}

/// Renders a text in every way that pages do, and checks the output.
///
/// # Panics
/// If the output has an unexpected tag, or an attribute that could run or load anything.
pub(crate) fn assert_is_harmless(text: &str) {
    const BOX: &str = "role=\"group\" tabindex=\"0\" aria-label=\"Table\"";
    let address = Url::parse("https://own.example/posts/1").expect("an address");
    for html in [&*whole(text, "Table").html, &*excerpt(text, "Table").html, &for_feed(text, &address)] {
        // Markup begins with a literal `<`; escaped text is harmless.
        for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest)) {
            if let Some(name) = tag.strip_prefix('/') {
                assert!(TAGS.contains(&name), "{name}: {html}");
                continue;
            }
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            assert!(TAGS.contains(&name), "{name}: {html}");
            let value = attributes.strip_prefix("href=\"").map(|rest| rest.split('"').next().unwrap_or(rest));
            match (name, value) {
                ("a", Some(url)) => assert!(is_harmless(&unescaped(url)), "{url}: {html}"),
                ("a", None) => assert!(attributes.starts_with("rel=\""), "{html}"),
                ("ol", _) => assert!(attributes.is_empty() || attributes.starts_with("start=\""), "{html}"),
                ("div", _) => assert!(attributes.strip_suffix(" dir=\"auto\"").unwrap_or(attributes) == BOX, "{html}"),
                ("pre", _) => assert_eq!(attributes, "dir=\"ltr\"", "{html}"),
                (directed, _) if DIRECTED.contains(&directed) => {
                    assert!(["", "dir=\"auto\""].contains(&attributes), "{html}");
                }
                _ => assert_eq!(attributes, "", "{html}"),
            }
        }
    }
    assert!(summary(text).chars().count() <= SUMMARY_CHARS_MAX + 1);
}

fn unescaped(url: &str) -> String {
    url.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;

    use super::*;

    fn page(text: &str) -> String {
        whole(text, "Table").html.to_string()
    }

    fn list(text: &str) -> String {
        excerpt(text, "Table").html.to_string()
    }

    #[test]
    fn markdown_becomes_html() {
        let html = page("# One\n\nSome **bold** and *soft* `code`.\nA line.\n\n- a\n- b\n\n[x](https://a.example)");
        for part in [
            "<h2 dir=\"auto\">One</h2>",
            "<strong>bold</strong>",
            "<em>soft</em>",
            "<code>code</code>",
            "<br>",
            "<li dir=\"auto\">a</li>",
            "<a href=\"https://a.example\" rel=\"nofollow noopener ugc\">x</a>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(list("# One").contains("<h3 dir=\"auto\">One</h3>"));
    }

    #[test]
    fn each_block_has_the_direction_of_its_first_words() {
        for (text, html) in [
            ("a\n\nb", "<p dir=\"auto\">a</p>\n<p dir=\"auto\">b</p>\n"),
            ("- a\n- b", "<ul>\n<li dir=\"auto\">a</li>\n<li dir=\"auto\">b</li>\n</ul>\n"),
            // Browsers skip children with their own `dir` attribute, so the first child has none.
            (
                "1. a\n\n   b\n\n2. c",
                "<ol>\n<li dir=\"auto\"><p>a</p>\n<p dir=\"auto\">b</p>\n</li>\n<li dir=\"auto\"><p>c</p>\n</li>\n</ol>\n",
            ),
            ("> # a\n> b", "<blockquote dir=\"auto\"><h2>a</h2>\n<p dir=\"auto\">b</p>\n</blockquote>\n"),
            (
                "> - a\n> - b",
                "<blockquote dir=\"auto\">\n<ul>\n<li>a</li>\n<li dir=\"auto\">b</li>\n</ul>\n</blockquote>\n",
            ),
            ("    a", "<pre dir=\"ltr\"><code>a</code></pre>\n"),
        ] {
            let found = page(text);
            assert_eq!(found.replace('\n', ""), html.replace('\n', ""), "{text}");
        }
    }

    #[test]
    fn a_table_stands_in_a_box_that_scrolls() {
        let table = "|a|b|\n|-|-|\n|c|d|";
        let html = whole(table, "\"Tabelle\" & <mehr>").html;
        let start = "<div role=\"group\" tabindex=\"0\" aria-label=\"&quot;Tabelle&quot; &amp; &lt;mehr&gt;\" dir=\"auto\"><table><thead><tr>\
                     <th>a</th><th dir=\"auto\">b</th></tr></thead><tbody>";
        assert!(html.starts_with(start), "{html}");
        assert!(html.contains("<td dir=\"auto\">c</td><td dir=\"auto\">d</td></tr>"), "{html}");
        assert!(html.trim_end().ends_with("</tbody></table></div>"), "{html}");
        assert!(list(table).contains("<div role=\"group\" tabindex=\"0\" aria-label=\"Table\" dir=\"auto\"><table>"));
    }

    #[test]
    fn nothing_that_runs_or_loads_gets_through() {
        for text in [
            "<script>alert(1)</script>",
            "a <img src=x onerror=alert(1)> b",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "![x](https://evil.example/track.png)",
            "<style>*{display:none}</style>",
            "<iframe src=\"https://evil.example\"></iframe>",
            "<svg onload=alert(1)>",
            "<a href=\"javascript:alert(1)\">x</a>",
            "`<script>alert(1)</script>`",
            "```\n</code></pre><script>alert(1)</script>\n```",
            "<javascript:alert(1)>",
            "[x]: javascript:alert(1)\n\n[x]",
        ] {
            let html = page(text).to_lowercase();
            // Markup begins with a literal `<`; escaped text is harmless.
            for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest)) {
                let name = tag.trim_start_matches('/').split(' ').next().unwrap_or(tag);
                assert!(["p", "a", "code", "pre"].contains(&name), "{text}: {html}");
                for bad in ["javascript:", "data:", "src=", " on"] {
                    assert!(!tag.contains(bad), "{text}: {html}");
                }
            }
        }
        assert!(page("<b>x</b>").contains("&lt;b&gt;x&lt;/b&gt;"));
    }

    #[test]
    fn links_of_a_feed_lead_where_they_lead_on_the_page() {
        let address = Url::parse("https://own.example/posts/1").unwrap();
        for (link, leads) in [
            ("/posts/2", "https://own.example/posts/2"),
            ("2", "https://own.example/posts/2"),
            ("?a=b", "https://own.example/posts/1?a=b"),
            ("#part", "https://own.example/posts/1#part"),
            ("//other.example/x", "https://other.example/x"),
            ("https://other.example/", "https://other.example/"),
        ] {
            for text in [format!("[x]({link})"), format!("![x]({link})")] {
                let html = for_feed(&text, &address);
                assert!(html.contains(&format!("<a href=\"{leads}\"")), "{text}: {html}");
            }
        }
    }

    proptest! {
        // A failure prints its seed, so no file is written next to the sources.
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_becomes_anything_that_runs_or_loads(
            text in "([a-z<>\\[\\]()!`*_#~|:/\"'&;=\\\\\n -]|javascript:|<script|onerror=|https://|&#[0-9]{1,4};|\\PC){0,80}",
        ) {
            assert_is_harmless(&text);
        }
    }

    #[test]
    fn what_repeats_without_end_is_rendered_all_the_same() {
        for piece in [
            "[",
            "![](",
            "*a_",
            "> ",
            "+ ",
            "1. ",
            "> + ",
            "- ",
            "`",
            "~~",
            "<a ",
            "&",
            "\u{b0}",
            "|a|\n|-|\n",
            "1. a\n   ",
            "[a]: b\n",
            "#",
        ] {
            let begun = Instant::now();
            assert_is_harmless(&piece.repeat(100_000 / piece.len()));
            let took = begun.elapsed();
            // Generous, for a busy machine and a build without optimization.
            assert!(took < Duration::from_secs(20), "{piece:?} took {took:?}");
        }
    }
}
