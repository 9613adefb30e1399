//! A to-do list whose front end is made with another framework (Preact, in `front/`): it registers and logs in through the JSON
//! API, and the browser keeps the session in a cookie that scripts cannot read.
//!
//! ```sh
//! SECRET_KEY=$(head -c 32 /dev/urandom | base64) cargo run -p example-api-only
//! ```
//!
//! Open <http://127.0.0.1:3000>. Mails are printed instead of sent.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "an example without settings or a logger")]

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::IntoResponse;
use axum::{Json, Router, routing::get};
use countersign::config::{Config, SecretKey, SiteUrl};
use countersign::http::fields::{JsonBody, text_of_length};
use countersign::http::problem::Problem;
use countersign::mail::{MailTransport, OutgoingMail, SendMail, Sending};
use countersign::model::UserId;
use countersign::{Accounts, CurrentUser, MIGRATIONS};
use countersign_db::{Db, PoolPolicy};
use tokio::net::TcpListener;

/// Scripts, styles and requests of our own site alone: what an attacker smuggles into a page does not run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TODOS_MAX: usize = 100;

/// What handlers share. The to-dos are kept in memory; `example-notes` has a table.
#[derive(Clone)]
struct App {
    accounts: Accounts,
    todos: Arc<Mutex<HashMap<UserId, Vec<String>>>>,
}

/// By this, the routes and extractors of the library find the accounts.
impl FromRef<App> for Accounts {
    fn from_ref(app: &App) -> Self {
        app.accounts.clone()
    }
}

async fn list(State(app): State<App>, CurrentUser { user, .. }: CurrentUser) -> Json<Vec<String>> {
    Json(app.todos.lock().unwrap_or_else(PoisonError::into_inner).get(&user.id).cloned().unwrap_or_default())
}

/// Adds a to-do. A request from a page of another site ends in the extractor, because it comes with a cookie.
async fn add(
    State(app): State<App>,
    CurrentUser { user, .. }: CurrentUser,
    JsonBody(mut fields): JsonBody,
) -> Result<StatusCode, Problem> {
    let Ok(text) = fields.required("text", |text| text_of_length(text.trim(), 1, 200)) else {
        return Err(fields.into_problem()); // 422, with the field's error
    };
    let mut todos = app.todos.lock().unwrap_or_else(PoisonError::into_inner);
    let todos = todos.entry(user.id).or_default();
    todos.truncate(TODOS_MAX - 1);
    todos.insert(0, text);
    Ok(StatusCode::CREATED)
}

/// Prints mails. Use `countersign::mail::Smtp` to send them.
struct Printer;

impl SendMail for Printer {
    fn send(&self, mail: OutgoingMail) -> Sending<'_> {
        println!("To {}: {}\n{}", mail.to.as_str(), mail.subject.as_str(), mail.text);
        Box::pin(async { Ok(()) })
    }
}

fn file(kind: &'static str, content: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, POLICY), (X_CONTENT_TYPE_OPTIONS, "nosniff")], content)
}

fn front_end() -> Router<App> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    Router::new()
        .route("/", get(|| async { file("text/html; charset=utf-8", include_str!("../front/index.html")) }))
        .route("/app.css", get(|| async { file("text/css; charset=utf-8", include_str!("../front/app.css")) }))
        .route("/app.js", get(|| async { file(SCRIPT, include_str!("../front/app.js")) }))
        .route("/htm-preact.js", get(|| async { file(SCRIPT, include_str!("../front/vendor/htm-preact.js")) }))
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(setting("LISTEN", "127.0.0.1:3000")).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let db = Db::connect(&setting("DATABASE_URL", "sqlite:todos.db").parse()?, &PoolPolicy::default()).await?;
    db.migrate(&[&MIGRATIONS]).await?;

    let site_url: SiteUrl = setting("SITE_URL", &address).parse()?;
    let mut config = Config::new(SecretKey::parse(std::env::var("SECRET_KEY")?)?, site_url);
    config.mail.transport = MailTransport::Custom(Arc::new(Printer));
    // Mails link to pages of the library unless the host names its own. This front end has one for the first mail alone.
    config.links.verify_email = String::from("/");
    let accounts = Accounts::new(db, config);
    let jobs = accounts.clone();
    tokio::spawn(async move { jobs.run_jobs(std::future::pending()).await }); // sends the mails

    let (api, _openapi) = countersign::http::routes(&accounts.config().http).split_for_parts();
    let app = Router::new()
        .route("/api/todos", get(list).post(add))
        .merge(front_end())
        .merge(api)
        .merge(countersign::http::static_files(&accounts)) // the default picture
        .with_state(App { accounts, todos: Arc::default() });

    println!("Listening at {address}");
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
