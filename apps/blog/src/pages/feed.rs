//! The Atom feed of the newest posts (RFC 4287). Anyone can request it, and feed readers do so often, so it is cached
//! for a minute, unless posts have changed on this instance.

use std::sync::{Mutex, PoisonError};

use ammonia::Url;
use axum::body::Bytes;
use axum::extract;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::Accounts;
use countersign::http::problem::{INTERNAL, Problem};
use countersign::pages::Moment;
use countersign::templates::{Value, context};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::markdown::{for_feed, summary};
use super::shown::head;
use crate::State;
use crate::model::{Post, Scope};
use crate::operations::list_posts::{PageRequest, PostPage, Start, list_posts};
use crate::single_flight::{Outcome, SingleFlight};

const POSTS_MAX: i64 = 20;
/// Longer posts have only a summary in the feed.
const CONTENT_BYTES_MAX: usize = 64 * 1024;
const KEPT_FOR: SignedDuration = SignedDuration::from_secs(60);

/// The cached feed.
#[derive(Default)]
pub(crate) struct KeptFeed {
    newest: Mutex<Option<Feed>>,
    makers: SingleFlight<(), Feed>,
}

#[derive(Clone)]
struct Feed {
    xml: Bytes,
    /// A weak `ETag`, because the response may be compressed.
    tag: String,
    /// The Last-Modified date.
    modified: String,
    made: Timestamp,
    /// The value of [`State::changes`] before it was made.
    changes: u64,
}

pub(super) async fn atom(
    extract::State(state): extract::State<State>,
    request: HeaderMap,
) -> Result<Response, Problem> {
    let now = state.accounts.clock().now();
    let feed = match state.feed.fresh(&state, now) {
        Some(feed) => feed,
        None => state.feed.makers.read((), || state.feed.make(&state)).await.map_err(Problem::new)?,
    };
    let left = KEPT_FOR.saturating_sub(now.duration_since(feed.made)).clamp(SignedDuration::ZERO, KEPT_FOR);
    let shared = [
        (CACHE_CONTROL, format!("public, max-age={}", left.as_secs())),
        (ETAG, feed.tag.clone()),
        (LAST_MODIFIED, feed.modified.clone()),
    ];
    if is_known(&request, &feed) {
        return Ok((StatusCode::NOT_MODIFIED, shared).into_response());
    }
    let atom: [(HeaderName, HeaderValue); 1] =
        [(CONTENT_TYPE, HeaderValue::from_static("application/atom+xml; charset=utf-8"))];
    Ok((atom, shared, feed.xml).into_response())
}

/// Returns whether the client has this feed (RFC 9110, section 13.2.2). Dates must be equal: after the newest post is
/// deleted, the previous feed is newer.
fn is_known(request: &HeaderMap, feed: &Feed) -> bool {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let mut tags = request.get_all(IF_NONE_MATCH).iter().map(text).peekable();
    if tags.peek().is_none() {
        return request.get(IF_MODIFIED_SINCE).is_some_and(|since| text(since) == feed.modified);
    }
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.any(|list| list.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == opaque(&feed.tag)))
}

impl KeptFeed {
    fn fresh(&self, state: &State, now: Timestamp) -> Option<Feed> {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |feed: &&Feed| {
            (SignedDuration::ZERO..KEPT_FOR).contains(&now.duration_since(feed.made)) && feed.changes == state.changes()
        };
        newest.as_ref().filter(is_fresh).cloned()
    }

    async fn make(&self, state: &State) -> Outcome<Feed> {
        let made = state.accounts.clock().now();
        // Another request may have made it meanwhile.
        if let Some(feed) = self.fresh(state, made) {
            return Ok(feed);
        }
        let changes = state.changes();
        let request = PageRequest { start: Start::Skip(0), limit: POSTS_MAX };
        let page = list_posts(&state.accounts, Scope::Everyone, request).await;
        let page = page.map_err(|error| Problem::from(error).kind())?;
        let updated = page.posts.iter().map(Post::updated).max().unwrap_or(Timestamp::UNIX_EPOCH);
        let xml: Bytes = render(&state.accounts, &page, updated).await?.into();
        let tag = format!("W/\"{}\"", URL_SAFE_NO_PAD.encode(Sha256::digest(&xml)));
        let feed = Feed { xml, tag, modified: http_date(updated), made, changes };
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(feed.clone());
        Ok(feed)
    }
}

/// Formats an HTTP date (RFC 9110, section 5.6.7).
fn http_date(at: Timestamp) -> String {
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    // Only negative years cannot be formatted.
    printer.timestamp_to_rfc9110_string(&at).unwrap_or_default()
}

async fn render(accounts: &Accounts, page: &PostPage, updated: Timestamp) -> Outcome<String> {
    let mut posts = Vec::with_capacity(page.posts.len());
    for post in &page.posts {
        posts.push(entry(accounts, post));
        // Rendering a post may take long, so other requests get a turn.
        tokio::task::yield_now().await;
    }
    let config = accounts.config();
    let context = context! {
        site => in_xml(config.mail.site_name.as_str()),
        site_url => config.public_url.as_str(),
        updated => Value::from(Moment(updated)),
        posts,
    };
    let templates = &config.mail.templates;
    templates.render("blog/feed.xml", templates.default_language(), context).map_err(|error| {
        tracing::error!(%error, "the feed could not be put together");
        &INTERNAL
    })
}

fn entry(accounts: &Accounts, post: &Post) -> Value {
    let address = format!("{}/posts/{}", accounts.config().public_url.as_str(), post.id);
    let markup = Url::parse(&address).ok().filter(|_| post.content.len() <= CONTENT_BYTES_MAX);
    let markup = markup.map(|address| in_xml(&for_feed(&post.content, &address)));
    context! {
        title => in_xml(&post.title),
        name => in_xml(&post.author.username),
        summary => in_xml(&summary(&post.content)),
        address,
        markup,
        updated => Value::from(Moment(post.updated())),
        ..head(accounts, post)
    }
}

/// Removes characters that XML cannot represent, not even escaped (XML 1.0, section 2.2).
fn in_xml(text: &str) -> String {
    let legal = |character: &char| {
        matches!(character, '\t' | '\n' | '\r')
            || !(character.is_ascii_control() || matches!(character, '\u{fffe}' | '\u{ffff}'))
    };
    text.chars().filter(legal).collect()
}
