//! Decides what feed readers get: the newest posts as Atom (RFC 4287).

use axum::extract;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use countersign::Accounts;
use countersign::http::problem::{INTERNAL, Problem};
use countersign::templates::{Value, context};
use jiff::Timestamp;

use super::markdown::{Below, render};
use super::shown::head;
use crate::State;
use crate::model::{Post, Scope};
use crate::operations::list_posts::{PageRequest, Start, list_posts};

const POSTS_MAX: i64 = 20;
/// Feed readers ask often.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=60");
const ATOM: HeaderValue = HeaderValue::from_static("application/atom+xml; charset=utf-8");

pub(super) async fn atom(extract::State(state): extract::State<State>) -> Result<Response, Problem> {
    let request = PageRequest { start: Start::Skip(0), limit: POSTS_MAX };
    let page = list_posts(&state.accounts, Scope::Everyone, request).await?;
    let updated = page.posts.first().map_or(Timestamp::UNIX_EPOCH, |post| post.date_posted);
    let config = state.accounts.config();
    let context = context! {
        site => config.mail.site_name.as_str(),
        site_url => config.public_url.as_str(),
        updated => format!("{updated:.0}"),
        posts => page.posts.iter().map(|post| entry(&state.accounts, post)).collect::<Vec<_>>(),
    };
    let templates = &config.mail.templates;
    match templates.render("blog/feed.xml", templates.default_language(), context) {
        Ok(feed) => Ok(([(CONTENT_TYPE, ATOM), (CACHE_CONTROL, KEPT)], feed).into_response()),
        Err(error) => {
            tracing::error!(%error, "the feed could not be put together");
            Err(Problem::new(&INTERNAL))
        }
    }
}

fn entry(accounts: &Accounts, post: &Post) -> Value {
    let title: String = in_xml(&post.title);
    context! { title, markup => in_xml(&render(&post.content, Below::PageTitle)), ..head(accounts, post) }
}

/// XML has no way to write most control characters, not even escaped (XML 1.0, section 2.2).
fn in_xml(text: &str) -> String {
    let legal = |character: &char| {
        matches!(character, '\t' | '\n' | '\r')
            || !(character.is_ascii_control() || matches!(character, '\u{fffe}' | '\u{ffff}'))
    };
    text.chars().filter(legal).collect()
}
