//! The page of one post, with links to edit it for its author.

use axum::extract;
use axum::http::StatusCode;
use axum::response::Response;
use countersign::http::path::PathId;
use countersign::http::problem::Problem;
use countersign::pages::Visitor;
use countersign::templates::context;

use super::shown::whole;
use crate::State;
use crate::model::PostId;
use crate::problems::POST_NOT_FOUND;
use crate::store::posts;

pub(super) async fn show(
    extract::State(state): extract::State<State>,
    visitor: Visitor,
    PathId(id): PathId<PostId>,
) -> Result<Response, Problem> {
    let post = posts::find(state.accounts.db().read().await?.conn(), id).await?;
    let post = post.ok_or_else(|| Problem::new(&POST_NOT_FOUND))?;
    let own = visitor.user().is_some_and(|user| user.id == post.author.id);
    Ok(visitor.page(StatusCode::OK, "blog/post.html", context! { post => whole(&visitor, &post), own }))
}
