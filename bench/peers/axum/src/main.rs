//! An application with accounts and posts on axum, as most would write it.

mod auth;
mod db;
mod error;
mod extract;
mod hasher;
mod pictures;
mod posts;
mod settings;
mod users;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_http::services::ServeDir;
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tracing::Level;
use tracing_subscriber::EnvFilter;

use auth::Tokens;
use db::{Db, on_db};
use error::AppError;
use hasher::Hasher;
use settings::Settings;

/// The time that requests in flight still have after SIGTERM.
const SHUTDOWN_MAX: Duration = Duration::from_secs(3);

struct App {
    settings: Settings,
    db: Db,
    tokens: Tokens,
    hasher: Hasher,
}

type AppState = Arc<App>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).init();

    let settings = Settings::from_env()?;
    let listener = TcpListener::bind(("127.0.0.1", settings.port)).await.context("PORT")?;
    let state = Arc::new(App {
        db: Db::open(&settings.database_url).await.context("DATABASE_URL")?,
        tokens: Tokens::new(&settings.secret_key).context("SECRET_KEY")?,
        hasher: Hasher::new(&settings).context("ARGON2_…")?,
        settings,
    });

    let server = axum::serve(listener, router(state)).with_graceful_shutdown(terminated());
    tokio::select! {
        ended = server => ended?,
        () = async { terminated().await; tokio::time::sleep(SHUTDOWN_MAX).await } => {}
    }
    // The runtime would wait for hashes whose clients have gone.
    std::process::exit(0);
}

fn router(state: AppState) -> Router {
    let picture_bytes_max = 6 * 1024 * 1024; // the largest picture and the multipart around it
    let pictures = ServeDir::new(&state.settings.data_dir);
    Router::new()
        .route("/health", get(health))
        .route("/api/users", post(users::register))
        .route("/api/users/token", post(users::log_in))
        .route("/api/users/me", get(users::me))
        .route("/api/users/{user_id}", get(users::show))
        .route(
            "/api/users/{user_id}/picture",
            patch(users::upload_picture).layer(DefaultBodyLimit::max(picture_bytes_max)),
        )
        .route("/api/posts", get(posts::list).post(posts::create))
        .nest_service("/media/profile_pics", pictures)
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
                .on_response(DefaultOnResponse::new().level(Level::INFO)),
        )
        .with_state(state)
}

async fn health(State(app): State<AppState>) -> Result<Json<Value>, AppError> {
    let alive = on_db!(&app.db, pool => sqlx::query("SELECT 1").execute(pool).await.map(drop));
    alive.map_err(|_| AppError::DatabaseUnavailable)?;
    Ok(Json(json!({ "status": "healthy" })))
}

async fn terminated() {
    match signal(SignalKind::terminate()) {
        Ok(mut told) => {
            told.recv().await;
        }
        Err(_) => std::future::pending().await,
    }
}
