//! The routes `/api/posts` and `/api/posts/{post_id}`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{self, DefaultBodyLimit};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use countersign::Accounts;
use countersign::http::current_user::CurrentUser;
use countersign::http::fields::{Fields, JsonBody, QueryFields};
use countersign::http::path::{PathId, PathParameter};
use countersign::http::problem::{
    AuthenticationProblems, BodyProblems, INVALID_TOKEN, ParameterProblems, Problem, ProblemBody, ServiceProblems,
};
use countersign_server::OpenApiRouter;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::listing::{PageQuery, PaginatedPostsResponse, PostResponse, page_request};
use crate::State;
use crate::model::{Changes, Content, Draft, PostId, Scope, Title};
use crate::operations::delete_post::{DeletePostError, delete_post as delete};
use crate::operations::edit_post::{EditPostError, edit_post};
use crate::operations::list_posts::list_posts as list;
use crate::operations::publish_post::{PublishPostError, publish_post};
use crate::problems::{NOT_YOUR_POST, POST_NOT_FOUND};
use crate::store::posts;

/// Returns the routes; `body_bytes_max` replaces the smaller general limit.
pub(crate) fn routes(body_bytes_max: usize) -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(list_posts, create_post))
        .routes(routes!(get_post, replace_post, update_post, delete_post))
        .layer(DefaultBodyLimit::max(body_bytes_max))
}

impl PathParameter for PostId {
    const NAME: &'static str = "post_id";
}

/// A new post, or the new text of one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `draft` reads, which reports all errors at once")]
struct PostCreate {
    #[schema(min_length = 1, max_length = 100)]
    title: String,
    #[schema(min_length = 1)]
    content: String,
}

fn draft(mut fields: Fields) -> Result<Draft, Problem> {
    let title = fields.required("title", Title::parse);
    let content = fields.required("content", Content::parse);
    let (Ok(title), Ok(content)) = (title, content) else {
        return Err(fields.into_problem());
    };
    Ok(Draft { title, content })
}

/// Changes to a post; fields that are missing or null stay unchanged.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `changes` reads, which reports all errors at once")]
struct PostUpdate {
    #[schema(min_length = 1, max_length = 100)]
    title: Option<String>,
    #[schema(min_length = 1)]
    content: Option<String>,
}

fn changes(mut fields: Fields) -> Result<Changes, Problem> {
    let title = fields.optional("title", Title::parse);
    let content = fields.optional("content", Content::parse);
    let (Ok(title), Ok(content)) = (title, content) else {
        return Err(fields.into_problem());
    };
    Ok(Changes { title, content })
}

/// List all posts
///
/// Newest first; posts published at the same time keep a fixed order.
#[utoipa::path(
    get,
    path = "/api/posts",
    tag = "posts",
    params(PageQuery),
    responses(
        (status = OK, body = PaginatedPostsResponse, description = "A page of posts"),
        ParameterProblems,
        ServiceProblems,
    ),
)]
async fn list_posts(
    extract::State(state): extract::State<State>,
    QueryFields(query): QueryFields,
) -> Result<([(HeaderName, &'static str); 1], Bytes), Problem> {
    let request = page_request(query, state.posts_per_page)?;
    let reading = async || {
        let page =
            list(&state.accounts, Scope::Everyone, request).await.map_err(|error| Problem::from(error).kind())?;
        Ok(PaginatedPostsResponse::new(request, page, &state.accounts.config().media).into_json())
    };
    let body = state.pages.read(request, reading).await.map_err(Problem::new)?;
    Ok(([(CONTENT_TYPE, "application/json")], body))
}

/// Publish a post
#[utoipa::path(
    post,
    path = "/api/posts",
    tag = "posts",
    request_body = PostCreate,
    responses(
        (status = CREATED, body = PostResponse, description = "The post"),
        AuthenticationProblems,
        BodyProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn create_post(
    extract::State(state): extract::State<State>,
    caller: CurrentUser,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<PostResponse>), Problem> {
    let draft = draft(body)?;
    let post = publish_post(&state, caller.user.profile(), draft).await?;
    Ok((StatusCode::CREATED, Json(PostResponse::new(post, &state.accounts.config().media))))
}

impl From<PublishPostError> for Problem {
    fn from(error: PublishPostError) -> Self {
        match error {
            PublishPostError::AuthorGone => Problem::new(&INVALID_TOKEN),
            PublishPostError::Internal(error) => error.into(),
        }
    }
}

/// Get a post
#[utoipa::path(
    get,
    path = "/api/posts/{post_id}",
    tag = "posts",
    params(("post_id" = Uuid, Path, description = "The post's id")),
    responses(
        (status = OK, body = PostResponse, description = "The post"),
        (status = NOT_FOUND, body = ProblemBody, content_type = "application/problem+json", description = "`Post not found`"),
        ParameterProblems,
        ServiceProblems,
    ),
)]
async fn get_post(
    extract::State(accounts): extract::State<Accounts>,
    PathId(id): PathId<PostId>,
) -> Result<Json<PostResponse>, Problem> {
    let mut read = accounts.db().read().await?;
    match posts::find(read.conn(), id).await? {
        Some(post) => Ok(Json(PostResponse::new(post, &accounts.config().media))),
        None => Err(Problem::new(&POST_NOT_FOUND)),
    }
}

/// Replace one of the current user's posts
#[utoipa::path(
    put,
    path = "/api/posts/{post_id}",
    tag = "posts",
    params(("post_id" = Uuid, Path, description = "The post's id")),
    request_body = PostCreate,
    responses(
        (status = OK, body = PostResponse, description = "The updated post"),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "`Not authorized to update this post`"),
        (status = NOT_FOUND, body = ProblemBody, content_type = "application/problem+json", description = "`Post not found`"),
        AuthenticationProblems,
        BodyProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn replace_post(
    extract::State(state): extract::State<State>,
    caller: CurrentUser,
    PathId(id): PathId<PostId>,
    JsonBody(body): JsonBody,
) -> Result<Json<PostResponse>, Problem> {
    let changes = Changes::from(draft(body)?);
    let post = edit_post(&state, caller.user.profile(), id, &changes).await?;
    Ok(Json(PostResponse::new(post, &state.accounts.config().media)))
}

/// Update one of the current user's posts
#[utoipa::path(
    patch,
    path = "/api/posts/{post_id}",
    tag = "posts",
    params(("post_id" = Uuid, Path, description = "The post's id")),
    request_body = PostUpdate,
    responses(
        (status = OK, body = PostResponse, description = "The updated post"),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "`Not authorized to update this post`"),
        (status = NOT_FOUND, body = ProblemBody, content_type = "application/problem+json", description = "`Post not found`"),
        AuthenticationProblems,
        BodyProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn update_post(
    extract::State(state): extract::State<State>,
    caller: CurrentUser,
    PathId(id): PathId<PostId>,
    JsonBody(body): JsonBody,
) -> Result<Json<PostResponse>, Problem> {
    let changes = changes(body)?;
    let post = edit_post(&state, caller.user.profile(), id, &changes).await?;
    Ok(Json(PostResponse::new(post, &state.accounts.config().media)))
}

impl From<EditPostError> for Problem {
    fn from(error: EditPostError) -> Self {
        match error {
            EditPostError::NotFound => Problem::new(&POST_NOT_FOUND),
            EditPostError::NotAuthor => Problem::new(&NOT_YOUR_POST).detail("Not authorized to update this post"),
            EditPostError::Internal(error) => error.into(),
        }
    }
}

/// Delete one of the current user's posts
#[utoipa::path(
    delete,
    path = "/api/posts/{post_id}",
    tag = "posts",
    params(("post_id" = Uuid, Path, description = "The post's id")),
    responses(
        (status = NO_CONTENT, description = "The post is deleted"),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "`Not authorized to delete this post`"),
        (status = NOT_FOUND, body = ProblemBody, content_type = "application/problem+json", description = "`Post not found`"),
        AuthenticationProblems,
        ParameterProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn delete_post(
    extract::State(state): extract::State<State>,
    caller: CurrentUser,
    PathId(id): PathId<PostId>,
) -> Result<StatusCode, Problem> {
    delete(&state, caller.user.id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<DeletePostError> for Problem {
    fn from(error: DeletePostError) -> Self {
        match error {
            DeletePostError::NotFound => Problem::new(&POST_NOT_FOUND),
            DeletePostError::NotAuthor => Problem::new(&NOT_YOUR_POST).detail("Not authorized to delete this post"),
            DeletePostError::Internal(error) => error.into(),
        }
    }
}
