//! Filters Markdown before it becomes HTML: removes tags, images, links to anything but the web, and input that is slow
//! to render. Separate because it is the fuzzing target; the sanitizer is only the second line of defense.

use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Tag, TagEnd};

use super::Below;

/// Maximum length of a text without a tag, and of a link's URL, in bytes.
const RUN_BYTES_MAX: usize = 1_024;
/// Maximum nesting of quotes and lists.
const DEPTH_MAX: usize = 32;

pub(super) fn harmless(event: Event<'_>, below: Below) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        // Line breaks are kept as typed.
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

/// Removes links with unsafe URLs, and keeps their text. `open_links` has an entry per open link: whether it stays.
pub(super) fn leads_somewhere(event: &Event<'_>, open_links: &mut Vec<bool>) -> bool {
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

/// Removes quotes and lists that are nested too deeply, and keeps their content: HTML parsers take time per tag that
/// grows with the depth. `depth` is the number of open blocks.
pub(super) fn is_shallow(event: &Event<'_>, depth: &mut usize) -> bool {
    match event {
        Event::Start(Tag::BlockQuote(_) | Tag::List(_) | Tag::Item) => {
            *depth += 1;
            *depth <= DEPTH_MAX
        }
        Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_) | TagEnd::Item) => {
            *depth = depth.saturating_sub(1);
            *depth < DEPTH_MAX
        }
        _ => true,
    }
}

/// Breaks up long texts with an invisible tag (`wbr`), because escaping a text takes time quadratic in its length.
/// `run_bytes` is the length since the last tag.
pub(super) fn broken_up<'t>(event: Event<'t>, run_bytes: &mut usize) -> Vec<Event<'t>> {
    let (text, is_code) = match event {
        Event::Text(text) => (text, false),
        Event::Code(text) if text.len() > RUN_BYTES_MAX => (text, true),
        event => return vec![event],
    };
    let mut events = Vec::new();
    let mut rest = &*text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(RUN_BYTES_MAX));
        rest = after;
        if *run_bytes + piece.len() > RUN_BYTES_MAX {
            events.push(Event::InlineHtml(CowStr::Borrowed("<wbr>")));
            *run_bytes = 0;
        }
        *run_bytes += piece.len();
        let piece = CowStr::from(piece.to_owned());
        events.push(if is_code { Event::Code(piece) } else { Event::Text(piece) });
    }
    events
}

pub(super) fn is_harmless(url: &str) -> bool {
    if url.len() > RUN_BYTES_MAX {
        return false;
    }
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https" | "mailto") => true,
        // A later colon belongs to a path.
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
