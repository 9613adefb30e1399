//! Decides what of somebody's Markdown reaches a reader: emphasis, lists, quotes, code, tables and links. HTML is shown as the
//! text it is, pictures become links, and whatever comes out is sanitised once more.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use ammonia::Builder;
use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};
use quick_cache::sync::Cache;

/// What a list shows of a post, in characters.
const EXCERPT_CHARS_MAX: usize = 900;
/// What a preview elsewhere shows.
const SUMMARY_CHARS_MAX: usize = 200;
/// Excerpts that are kept as HTML. Making it costs more than everything else of a page.
const KEPT_MAX: usize = 512;

static KEPT: LazyLock<Cache<String, Arc<str>>> = LazyLock::new(|| Cache::new(KEPT_MAX));

/// All that Markdown can become here.
const TAGS: [&str; 24] = [
    "a",
    "blockquote",
    "br",
    "code",
    "del",
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
];

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(TAGS))
        .add_tag_attributes("a", &["href"])
        .add_tag_attributes("ol", &["start"])
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .link_rel(Some("nofollow noopener ugc"));
    builder
});

/// Where the text stands: its headings begin below those of the page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    /// The title of the page.
    PageTitle,
    /// The title of a post in a list.
    PostTitle,
}

/// The beginning of a post.
pub(super) struct Excerpt {
    pub(super) html: Arc<str>,
    /// Whether there is more.
    pub(super) cut: bool,
}

/// The beginning, cut where a paragraph, a line or a word ends.
pub(super) fn excerpt(text: &str) -> Excerpt {
    let Some((end, _)) = text.char_indices().nth(EXCERPT_CHARS_MAX) else {
        return Excerpt { html: kept(text), cut: false };
    };
    let start = &text[..end];
    let at = ["\n\n", "\n", " "].into_iter().find_map(|gap| start.rfind(gap).filter(|at| *at > end / 2));
    Excerpt { html: kept(&format!("{} …", start[..at.unwrap_or(end)].trim_end())), cut: true }
}

fn kept(text: &str) -> Arc<str> {
    if let Some(found) = KEPT.get(text) {
        return found;
    }
    let html: Arc<str> = render(text, Below::PostTitle).into();
    KEPT.insert(text.to_owned(), Arc::clone(&html));
    html
}

/// The whole text as HTML.
pub(super) fn render(text: &str, below: Below) -> String {
    let mut raw = String::with_capacity(text.len() + text.len() / 2);
    let mut open_links = Vec::new();
    let events = events(text).map(|event| harmless(event, below));
    html::push_html(&mut raw, events.filter(|event| leads_somewhere(event, &mut open_links)));
    SANITISER.clean(&raw).to_string()
}

/// The beginning without any markup, on one line.
pub(super) fn summary(text: &str) -> String {
    let mut summary = String::new();
    for event in events(text) {
        match event {
            Event::Text(text) | Event::Code(text) | Event::Html(text) | Event::InlineHtml(text) => {
                summary.push_str(&text);
            }
            Event::SoftBreak | Event::HardBreak | Event::End(_) if !summary.ends_with(' ') => summary.push(' '),
            _ => {}
        }
        if summary.len() > 4 * SUMMARY_CHARS_MAX {
            break;
        }
    }
    let summary = summary.split_whitespace().collect::<Vec<_>>().join(" ");
    match summary.char_indices().nth(SUMMARY_CHARS_MAX) {
        Some((end, _)) => format!("{}…", summary[..end].trim_end()),
        None => summary,
    }
}

fn events(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH)
}

fn harmless(event: Event<'_>, below: Below) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        // A line is a line, as it was typed.
        Event::SoftBreak => Event::HardBreak,
        Event::Start(Tag::Heading { level, .. }) => {
            Event::Start(Tag::Heading { level: lower(level, below), id: None, classes: Vec::new(), attrs: Vec::new() })
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level, below))),
        Event::Start(Tag::Image { link_type, dest_url, .. }) => {
            Event::Start(Tag::Link { link_type, dest_url, title: CowStr::Borrowed(""), id: CowStr::Borrowed("") })
        }
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        event => event,
    }
}

/// Takes away links to where nobody shall be led, and leaves their text. `open_links` are those whose end has not come, each
/// with whether it stays.
fn leads_somewhere(event: &Event<'_>, open_links: &mut Vec<bool>) -> bool {
    match event {
        Event::Start(Tag::Link { link_type, dest_url, .. }) => {
            let stays = *link_type == LinkType::Email || is_harmless(dest_url);
            open_links.push(stays);
            stays
        }
        Event::End(TagEnd::Link) => open_links.pop().unwrap_or(false),
        _ => true,
    }
}

fn is_harmless(url: &str) -> bool {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https" | "mailto") => true,
        // A colon further on belongs to a path.
        Some(other) => other.contains(['/', '?', '#']),
        None => !url.is_empty(),
    }
}

fn lower(level: HeadingLevel, below: Below) -> HeadingLevel {
    let by = match below {
        Below::PageTitle => 1,
        Below::PostTitle => 2,
    };
    HeadingLevel::try_from((level as usize + by).min(6)).unwrap_or(HeadingLevel::H6)
}

/// Renders a text in every way that pages do, and looks at what comes out.
///
/// # Panics
/// When that has a tag that is not one of ours, or an attribute that could run or load anything.
pub(crate) fn assert_is_harmless(text: &str) {
    let excerpt = excerpt(text);
    for html in [&*render(text, Below::PageTitle), &*render(text, Below::PostTitle), &*excerpt.html] {
        // What follows a `<` is markup; what was escaped is text, whatever it says.
        for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest)) {
            let (name, attributes) =
                tag.trim_start_matches('/').split_once(' ').unwrap_or((tag.trim_start_matches('/'), ""));
            assert!(TAGS.contains(&name), "{name}: {html}");
            let value = attributes.strip_prefix("href=\"").map(|rest| rest.split('"').next().unwrap_or(rest));
            match (name, value) {
                ("a", Some(url)) => assert!(is_harmless(&unescaped(url)), "{url}: {html}"),
                ("a", None) => assert!(attributes.starts_with("rel=\""), "{html}"),
                ("ol", _) => assert!(attributes.is_empty() || attributes.starts_with("start=\""), "{html}"),
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markdown_becomes_html() {
        let html = render(
            "# One\n\nSome **bold** and *soft* `code`.\nA line.\n\n- a\n- b\n\n[x](https://a.example)",
            Below::PageTitle,
        );
        for part in [
            "<h2>One</h2>",
            "<strong>bold</strong>",
            "<em>soft</em>",
            "<code>code</code>",
            "<br>",
            "<li>a</li>",
            "<a href=\"https://a.example\" rel=\"nofollow noopener ugc\">x</a>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(render("# One", Below::PostTitle).contains("<h3>One</h3>"));
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
            let html = render(text, Below::PageTitle).to_lowercase();
            // What follows a `<` is markup; what was escaped is text, whatever it says.
            for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(rest)) {
                let name = tag.trim_start_matches('/').split(' ').next().unwrap_or(tag);
                assert!(["p", "a", "code", "pre"].contains(&name), "{text}: {html}");
                for bad in ["javascript:", "data:", "src=", " on"] {
                    assert!(!tag.contains(bad), "{text}: {html}");
                }
            }
        }
        assert!(render("<b>x</b>", Below::PageTitle).contains("&lt;b&gt;x&lt;/b&gt;"));
    }

    #[test]
    fn a_long_text_is_cut_where_a_word_ends() {
        let text = "word ".repeat(400);
        let excerpt = excerpt(&text);
        assert!(excerpt.cut);
        assert!(excerpt.html.ends_with("word …</p>\n"), "{}", excerpt.html);
        assert!(!super::excerpt("short").cut);
        assert_eq!(summary("# A\n\n**b** <i>c</i>\nd"), "A b <i>c</i> d");
        assert_eq!(summary(&text).chars().count(), SUMMARY_CHARS_MAX);
    }

    proptest! {
        #[test]
        fn no_text_becomes_anything_that_runs_or_loads(
            text in "([a-z<>\\[\\]()!`*_#~|:/\"'&;=\\\\\n -]|javascript:|<script|onerror=|https://|&#[0-9]{1,4};|\\PC){0,80}",
        ) {
            assert_is_harmless(&text);
        }
    }

    #[test]
    fn what_repeats_without_end_is_rendered_all_the_same() {
        for piece in ["[", "![](", "*a_", "> ", "- ", "`", "~~", "<a ", "&", "|a|\n|-|\n", "1. a\n   ", "[a]: b\n", "#"]
        {
            assert_is_harmless(&piece.repeat(20_000 / piece.len()));
        }
    }
}
