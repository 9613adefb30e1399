//! The handlers of `/api/users`.

use axum::Json;
use axum::extract::{Multipart, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use tokio::task::spawn_blocking;
use validator::Validate;

use crate::auth::CurrentUser;
use crate::db::{Db, on_db};
use crate::error::AppError;
use crate::extract::{self, Form, Path};
use crate::{AppState, pictures};

const PICTURE_BYTES_MAX: usize = 5 * 1024 * 1024;

#[derive(FromRow)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) username: String,
    email: String,
    password_hash: String,
    pub(crate) image_file: Option<String>,
}

impl User {
    pub(crate) async fn find(db: &Db, id: i64) -> Result<Option<Self>, sqlx::Error> {
        const BY_ID: &str = "SELECT id, username, email, password_hash, image_file FROM users WHERE id = $1";
        on_db!(db, pool => sqlx::query_as(BY_ID).bind(id).fetch_optional(pool).await)
    }

    async fn find_by_email(db: &Db, email: &str) -> Result<Option<Self>, sqlx::Error> {
        const BY_EMAIL: &str = "SELECT id, username, email, password_hash, image_file FROM users WHERE email = $1";
        on_db!(db, pool => sqlx::query_as(BY_EMAIL).bind(email).fetch_optional(pool).await)
    }
}

#[derive(Serialize)]
pub(crate) struct UserPublic {
    id: i64,
    username: String,
    image_path: String,
    image_file: Option<String>,
}

impl UserPublic {
    pub(crate) fn new(id: i64, username: String, image_file: Option<String>) -> Self {
        let image_path = match &image_file {
            Some(name) => format!("/media/profile_pics/{name}"),
            None => "/static/profile_pics/default.jpg".to_owned(),
        };
        Self { id, username, image_path, image_file }
    }
}

impl From<User> for UserPublic {
    fn from(user: User) -> Self {
        Self::new(user.id, user.username, user.image_file)
    }
}

#[derive(Serialize)]
pub(crate) struct UserPrivate {
    #[serde(flatten)]
    public: UserPublic,
    email: String,
}

impl From<User> for UserPrivate {
    fn from(mut user: User) -> Self {
        Self { email: std::mem::take(&mut user.email), public: user.into() }
    }
}

#[derive(Deserialize, Validate)]
pub(crate) struct UserCreate {
    #[validate(length(min = 1, max = 50))]
    username: String,
    #[validate(email, length(max = 120))]
    email: String,
    #[validate(length(min = 8))]
    password: String,
}

pub(crate) async fn register(
    State(app): State<AppState>,
    extract::Json(new): extract::Json<UserCreate>,
) -> Result<(StatusCode, Json<UserPrivate>), AppError> {
    const BY_USERNAME: &str = "SELECT id FROM users WHERE lower(username) = lower($1)";
    const BY_EMAIL: &str = "SELECT id FROM users WHERE email = $1";
    const INSERT: &str = "INSERT INTO users (username, email, password_hash) VALUES ($1, $2, $3) RETURNING id";

    let name = &new.username;
    let taken: Option<i64> =
        on_db!(&app.db, pool => sqlx::query_scalar(BY_USERNAME).bind(name).fetch_optional(pool).await)?;
    if taken.is_some() {
        return Err(AppError::BadRequest("Username already exists"));
    }
    let email = new.email.to_lowercase();
    let taken: Option<i64> =
        on_db!(&app.db, pool => sqlx::query_scalar(BY_EMAIL).bind(&email).fetch_optional(pool).await)?;
    if taken.is_some() {
        return Err(AppError::BadRequest("Email already registered"));
    }

    let hash = app.hasher.hash(new.password).await?;
    let id: i64 = on_db!(&app.db, pool => {
        sqlx::query_scalar(INSERT).bind(name).bind(&email).bind(hash).fetch_one(pool).await
    })?;
    let public = UserPublic::new(id, new.username, None);
    Ok((StatusCode::CREATED, Json(UserPrivate { public, email })))
}

#[derive(Deserialize)]
pub(crate) struct LogIn {
    username: String,
    password: String,
    grant_type: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Token {
    access_token: String,
    token_type: &'static str,
}

pub(crate) async fn log_in(State(app): State<AppState>, Form(form): Form<LogIn>) -> Result<Json<Token>, AppError> {
    const INCORRECT: AppError = AppError::Unauthorized("Incorrect email or password");
    if form.grant_type.is_some_and(|grant| grant != "password") {
        return Err(AppError::invalid("body", "grant_type has to be `password`"));
    }
    let user = User::find_by_email(&app.db, &form.username.to_lowercase()).await?.ok_or(INCORRECT)?;
    if !app.hasher.verify(form.password, user.password_hash).await? {
        return Err(INCORRECT);
    }
    Ok(Json(Token { access_token: app.tokens.issue(user.id)?, token_type: "bearer" }))
}

pub(crate) async fn me(CurrentUser(user): CurrentUser) -> Json<UserPrivate> {
    Json(user.into())
}

pub(crate) async fn show(State(app): State<AppState>, Path(user_id): Path<i64>) -> Result<Json<UserPublic>, AppError> {
    let user = User::find(&app.db, user_id).await?.ok_or(AppError::NotFound("User not found"))?;
    Ok(Json(user.into()))
}

pub(crate) async fn upload_picture(
    State(app): State<AppState>,
    Path(user_id): Path<i64>,
    CurrentUser(mut user): CurrentUser,
    mut form: Multipart,
) -> Result<Json<UserPrivate>, AppError> {
    const UPDATE: &str = "UPDATE users SET image_file = $1 WHERE id = $2";
    if user_id != user.id {
        return Err(AppError::Forbidden("Not authorized to update this user's picture"));
    }
    let content = loop {
        match form.next_field().await? {
            Some(field) if field.name() == Some("file") => break field.bytes().await?,
            Some(_) => {}
            None => return Err(AppError::invalid("body", "the field `file` is missing")),
        }
    };
    if content.len() > PICTURE_BYTES_MAX {
        return Err(AppError::BadRequest("File too large. Maximum size is 5MB"));
    }
    let processed = spawn_blocking(move || pictures::process(&content)).await.map_err(anyhow::Error::from)?;
    let Ok(jpeg) = processed else {
        let detail = "Invalid image file. Please upload a valid image (JPEG, PNG, GIF, WebP).";
        return Err(AppError::BadRequest(detail));
    };

    let name = pictures::save(&app.settings.data_dir, &jpeg).await?;
    on_db!(&app.db, pool => sqlx::query(UPDATE).bind(&name).bind(user.id).execute(pool).await.map(drop))?;
    if let Some(previous) = user.image_file.replace(name) {
        // It may be deleted already.
        let _ = tokio::fs::remove_file(app.settings.data_dir.join(previous)).await;
    }
    Ok(Json(user.into()))
}
