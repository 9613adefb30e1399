//! The front page and the pages of authors: the newest posts, and a link to older ones.

use axum::extract;
use axum::http::StatusCode;
use axum::response::Response;
use countersign::http::fields::{Fields, Invalid, QueryFields};
use countersign::http::path::PathId;
use countersign::http::problem::{Problem, USER_NOT_FOUND};
use countersign::model::UserId;
use countersign::pages::Visitor;
use countersign::templates::{Value, context};

use super::shown::{author, in_list};
use crate::State;
use crate::model::{Cursor, Scope};
use crate::operations::list_posts::{PageRequest, PostPage, Start, list_posts};

pub(super) async fn everyone(
    extract::State(state): extract::State<State>,
    visitor: Visitor,
    QueryFields(query): QueryFields,
) -> Result<Response, Problem> {
    let request = request(query, state.posts_per_page)?;
    let page = list_posts(&state.accounts, Scope::Everyone, request).await?;
    Ok(visitor.page(StatusCode::OK, "blog/posts.html", listed(&visitor, &page, request)))
}

pub(super) async fn of_author(
    extract::State(state): extract::State<State>,
    visitor: Visitor,
    PathId(id): PathId<UserId>,
    QueryFields(query): QueryFields,
) -> Result<Response, Problem> {
    let request = request(query, state.posts_per_page)?;
    let profile = state.accounts.find_profile(id).await?.ok_or_else(|| Problem::new(&USER_NOT_FOUND))?;
    let page = list_posts(&state.accounts, Scope::Author(id), request).await?;
    let own = context! { author => author(&state.accounts, &profile), ..listed(&visitor, &page, request) };
    Ok(visitor.page(StatusCode::OK, "blog/author.html", own))
}

fn request(mut query: Fields, posts_per_page: u32) -> Result<PageRequest, Problem> {
    let after = query.optional("after", |text| {
        text.parse::<Cursor>().map_err(|_| Invalid::new("value_error", "Value error, not a place in the list"))
    });
    let Ok(after) = after else { return Err(query.into_problem()) };
    Ok(PageRequest { start: after.map_or(Start::Skip(0), Start::After), limit: i64::from(posts_per_page) })
}

fn listed(visitor: &Visitor, page: &PostPage, request: PageRequest) -> Value {
    context! {
        posts => page.posts.iter().map(|post| in_list(visitor, post)).collect::<Vec<_>>(),
        next => page.next.map(|cursor| cursor.to_string()),
        later => matches!(request.start, Start::After(_)),
    }
}
