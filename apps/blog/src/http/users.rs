//! The route `/api/users/{user_id}/posts`; the library has the others under `/api/users`.

use axum::Json;
use axum::extract;
use countersign::http::fields::QueryFields;
use countersign::http::path::PathId;
use countersign::http::problem::{ParameterProblems, Problem, ProblemBody, ServiceProblems, USER_NOT_FOUND};
use countersign::model::UserId;
use countersign_server::OpenApiRouter;
use utoipa_axum::routes;

use super::listing::{PageQuery, PaginatedPostsResponse, page_request};
use crate::State;
use crate::model::Scope;
use crate::operations::list_posts::list_posts;

pub(crate) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list_posts_of_user))
}

/// List a user's posts
///
/// Newest first; posts published at the same time keep a fixed order.
#[utoipa::path(
    get,
    path = "/api/users/{user_id}/posts",
    tag = "posts",
    params(("user_id" = Uuid, Path, description = "The author's id"), PageQuery),
    responses(
        (status = OK, body = PaginatedPostsResponse, description = "A page of the user's posts"),
        (status = NOT_FOUND, body = ProblemBody, content_type = "application/problem+json", description = "`User not found`"),
        ParameterProblems,
        ServiceProblems,
    ),
)]
async fn list_posts_of_user(
    extract::State(state): extract::State<State>,
    PathId(author): PathId<UserId>,
    QueryFields(query): QueryFields,
) -> Result<Json<PaginatedPostsResponse>, Problem> {
    let request = page_request(query, state.posts_per_page)?;
    if state.accounts.find_profile(author).await?.is_none() {
        return Err(Problem::new(&USER_NOT_FOUND));
    }
    let page = list_posts(&state.accounts, Scope::Author(author), request).await?;
    Ok(Json(PaginatedPostsResponse::new(request, page, &state.accounts.config().media)))
}
