//! Query parameters and responses of the lists of posts.

use axum::body::Bytes;
use countersign::config::MediaPolicy;
use countersign::http::fields::{Fields, Invalid, integer_in};
use countersign::http::problem::Problem;
use countersign::http::users::UserPublic;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::model::{Cursor, Post};
use crate::operations::list_posts::{PageRequest, PostPage, Start};

const LIMIT_MAX: i64 = 100;

/// Which page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the query that `page_request` reads, which reports all errors at once")]
pub(super) struct PageQuery {
    /// The number of posts to skip; cannot be combined with `after`.
    #[param(minimum = 0, default = 0)]
    skip: Option<i64>,
    /// The number of posts to return; defaults to the setting `POSTS_PER_PAGE`.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The `next_cursor` of another page: continues right after it, even if posts were added in the meantime.
    after: Option<String>,
}

/// Parses the query.
pub(super) fn page_request(mut fields: Fields, posts_per_page: u32) -> Result<PageRequest, Problem> {
    let skip = fields.optional("skip", |text| integer_in(text, 0, i64::MAX));
    let limit = fields.optional("limit", |text| integer_in(text, 1, LIMIT_MAX));
    let skip_given = !matches!(skip, Ok(None));
    let after = fields.optional("after", |text| {
        if skip_given {
            return Err(Invalid::new("value_error", "Value error, `after` and `skip` are mutually exclusive"));
        }
        text.parse::<Cursor>()
            .map_err(|_| Invalid::new("value_error", "Value error, not a `next_cursor` from an earlier response"))
    });
    let (Ok(skip), Ok(limit), Ok(after)) = (skip, limit, after) else {
        return Err(fields.into_problem());
    };
    Ok(PageRequest {
        start: after.map_or(Start::Skip(skip.unwrap_or(0)), Start::After),
        limit: limit.unwrap_or(i64::from(posts_per_page)),
    })
}

/// A post with its public author.
#[derive(Serialize, ToSchema)]
pub(super) struct PostResponse {
    id: Uuid,
    #[schema(min_length = 1, max_length = 100)]
    title: String,
    #[schema(min_length = 1)]
    content: String,
    /// The author's id.
    user_id: Uuid,
    /// When it was published: RFC 3339, in UTC, with microseconds unless they are zero.
    #[schema(format = DateTime)]
    date_posted: String,
    author: UserPublic,
}

impl PostResponse {
    pub(super) fn new(post: Post, media: &MediaPolicy) -> Self {
        Self {
            id: post.id.uuid(),
            user_id: post.author.id.uuid(),
            date_posted: post.date_posted.to_string(),
            author: UserPublic::new(&post.author, media),
            title: post.title,
            content: post.content,
        }
    }
}

/// A page of posts, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct PaginatedPostsResponse {
    posts: Vec<PostResponse>,
    /// The number of posts in the whole list.
    #[schema(minimum = 0)]
    total: i64,
    /// The number of skipped posts; 0 for a page that starts at a cursor.
    #[schema(minimum = 0)]
    skip: i64,
    /// The maximum number of posts on the page.
    #[schema(minimum = 1, maximum = 100)]
    limit: i64,
    /// Whether more posts follow after this page.
    has_more: bool,
    /// The value of `after` for the next page; null if there is none.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl PaginatedPostsResponse {
    pub(super) fn new(request: PageRequest, page: PostPage, media: &MediaPolicy) -> Self {
        Self {
            total: page.total,
            skip: match request.start {
                Start::Skip(skip) => skip,
                Start::After(_) => 0,
            },
            limit: request.limit,
            has_more: page.next.is_some(),
            next_cursor: page.next.map(|cursor| cursor.to_string()),
            posts: page.posts.into_iter().map(|post| PostResponse::new(post, media)).collect(),
        }
    }

    /// Serializes the page as JSON.
    pub(super) fn into_json(self) -> Bytes {
        serde_json::to_vec(&self).expect("texts and numbers can be written").into()
    }
}
