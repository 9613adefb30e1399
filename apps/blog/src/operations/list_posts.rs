//! Lists posts page by page.

use countersign::Accounts;
use countersign_db::DbError;

use crate::model::{Cursor, Post, Scope};
use crate::store::{post_counts, posts};

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Start {
    /// After this many posts.
    Skip(i64),
    /// After this cursor; equally cheap at the end of the list and at its beginning.
    After(Cursor),
}

/// The parameters of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PageRequest {
    pub(crate) start: Start,
    pub(crate) limit: i64,
}

/// A page of posts, newest first.
#[derive(Debug)]
pub(crate) struct PostPage {
    pub(crate) posts: Vec<Post>,
    /// The number of posts in the whole list.
    pub(crate) total: i64,
    /// The cursor of the next page, if there is one.
    pub(crate) next: Option<Cursor>,
}

pub(crate) async fn list_posts(accounts: &Accounts, scope: Scope, request: PageRequest) -> Result<PostPage, DbError> {
    let mut read = accounts.db().read().await?;
    let after = match request.start {
        Start::After(cursor) => cursor,
        Start::Skip(0) => Cursor::newest(),
        Start::Skip(skip) => {
            let total = post_counts::of(read.conn(), scope).await?;
            // An offset beyond the end would scan the whole index to find nothing.
            let last = if skip < total { posts::place(read.conn(), scope, skip - 1).await? } else { None };
            let Some(last) = last else {
                return Ok(settle(request, total, Vec::new()));
            };
            last
        }
    };
    let (found, total) = posts::list(read.conn(), scope, after, request.limit + 1).await?;
    let total = match total {
        Some(total) => total,
        None => post_counts::of(read.conn(), scope).await?,
    };
    Ok(settle(request, total, found))
}

/// Builds a page from the posts found, one more of which than the limit was requested.
///
/// Posts may be added or deleted during the reads. For a page with `skip` the total is corrected, so that `skip`, the
/// posts and the total of a response never contradict each other.
fn settle(request: PageRequest, total: i64, mut posts: Vec<Post>) -> PostPage {
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let more = posts.len() > limit;
    posts.truncate(limit);
    let next = posts.last().filter(|_| more).map(Post::place);
    let total = match request.start {
        Start::After(_) => total,
        Start::Skip(skip) => {
            let seen = skip.saturating_add(i64::try_from(posts.len()).unwrap_or(i64::MAX));
            if more {
                total.max(seen.saturating_add(1))
            } else if posts.is_empty() {
                total.min(seen)
            } else {
                seen
            }
        }
    };
    PostPage { posts, total, next }
}
