//! The handlers of `/api/posts`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use validator::Validate;

use crate::AppState;
use crate::auth::CurrentUser;
use crate::db::on_db;
use crate::error::AppError;
use crate::extract::{self, Query};
use crate::users::UserPublic;

#[derive(Deserialize, Validate)]
pub(crate) struct Page {
    #[validate(range(min = 0))]
    #[serde(default)]
    skip: i64,
    #[validate(range(min = 1, max = 100))]
    #[serde(default = "posts_per_page")]
    limit: i64,
}

fn posts_per_page() -> i64 {
    10
}

#[derive(FromRow)]
struct PostRow {
    id: i64,
    title: String,
    content: String,
    user_id: i64,
    date_posted: DateTime<Utc>,
    username: String,
    image_file: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct PostResponse {
    id: i64,
    title: String,
    content: String,
    user_id: i64,
    date_posted: DateTime<Utc>,
    author: UserPublic,
}

impl From<PostRow> for PostResponse {
    fn from(row: PostRow) -> Self {
        Self {
            id: row.id,
            title: row.title,
            content: row.content,
            user_id: row.user_id,
            date_posted: row.date_posted,
            author: UserPublic::new(row.user_id, row.username, row.image_file),
        }
    }
}

#[derive(Serialize)]
pub(crate) struct PaginatedPosts {
    posts: Vec<PostResponse>,
    total: i64,
    skip: i64,
    limit: i64,
    has_more: bool,
}

pub(crate) async fn list(
    State(app): State<AppState>,
    Query(Page { skip, limit }): Query<Page>,
) -> Result<Json<PaginatedPosts>, AppError> {
    const COUNT: &str = "SELECT count(*) FROM posts";
    const PAGE: &str = "SELECT posts.id, title, content, user_id, date_posted, username, image_file \
                        FROM posts JOIN users ON users.id = user_id ORDER BY date_posted DESC LIMIT $1 OFFSET $2";

    let total: i64 = on_db!(&app.db, pool => sqlx::query_scalar(COUNT).fetch_one(pool).await)?;
    let rows: Vec<PostRow> =
        on_db!(&app.db, pool => sqlx::query_as(PAGE).bind(limit).bind(skip).fetch_all(pool).await)?;
    let posts: Vec<PostResponse> = rows.into_iter().map(PostResponse::from).collect();
    let has_more = skip.saturating_add(i64::try_from(posts.len()).unwrap_or(i64::MAX)) < total;
    Ok(Json(PaginatedPosts { posts, total, skip, limit, has_more }))
}

#[derive(Deserialize, Validate)]
pub(crate) struct PostCreate {
    #[validate(length(min = 1, max = 100))]
    title: String,
    #[validate(length(min = 1))]
    content: String,
}

pub(crate) async fn create(
    State(app): State<AppState>,
    CurrentUser(user): CurrentUser,
    extract::Json(new): extract::Json<PostCreate>,
) -> Result<(StatusCode, Json<PostResponse>), AppError> {
    const INSERT: &str =
        "INSERT INTO posts (title, content, user_id, date_posted) VALUES ($1, $2, $3, $4) RETURNING id";

    let date_posted = Utc::now();
    let PostCreate { title, content } = new;
    let id: i64 = on_db!(&app.db, pool => {
        sqlx::query_scalar(INSERT)
            .bind(&title)
            .bind(&content)
            .bind(user.id)
            .bind(date_posted)
            .fetch_one(pool)
            .await
    })?;
    let post = PostResponse { id, title, content, user_id: user.id, date_posted, author: user.into() };
    Ok((StatusCode::CREATED, Json(post)))
}
