//! Tests of a whole application: its real router on a database of its own, typed callers, and a manual clock.
//!
//! Every response is checked against the application's OpenAPI document: a response that the document does not describe fails the
//! test.
//!
//! ```
//! use countersign::testing::{PASSWORD, TestApp};
//! use jiff::SignedDuration;
//! use serde_json::json;
//!
//! # #[tokio::main]
//! # async fn main() {
//! // The accounts alone, on an empty SQLite database, or on PostgreSQL with TEST_DATABASE=postgres. A host application starts with
//! // `TestApp::host`, which takes its migrations, its router and its OpenAPI document.
//! let app = TestApp::start().await;
//!
//! // Callers are types: nobody, somebody with a token, and a browser that keeps cookies.
//! let ada = app.user("ada").await;
//! assert_eq!(ada.get("/api/users/me").await.ok(200)["username"], "ada");
//! app.anonymous().get("/api/users/me").await.problem(401, "not_authenticated");
//! let browser = app.browser();
//! browser.log_in(&ada.email, PASSWORD).await;
//! assert!(browser.open("/account").await.text().contains(&ada.email));
//!
//! // Mails are captured once their jobs have run.
//! app.anonymous().post("/api/users/forgot-password", json!({ "email": ada.email })).await.ok(202);
//! app.run_jobs().await;
//! let mail = app.mailbox().find_newest_to(&ada.email).unwrap();
//! assert!(mail.text.contains("/reset-password?token="));
//!
//! // The clock stands still until the test moves it.
//! app.clock.advance(SignedDuration::from_hours(24 * 91));
//! ada.get("/api/users/me").await.problem(401, "invalid_token");
//! # }
//! ```

mod browser;
mod caller;
mod contract;
#[doc(hidden)]
pub mod parsers;
#[doc(hidden)]
pub mod pictures;
#[doc(hidden)]
pub mod profiles;
mod smtp_server;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use countersign_db::testing::TempDb;
use countersign_db::{Db, Migrations};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use self::browser::Browser;
pub use self::caller::{Answer, Caller, User};
#[doc(hidden)]
pub use self::smtp_server::{SmtpHello, SmtpMood, SmtpRefusal, SmtpServer, SmtpServerOptions};

use self::contract::Contract;
use crate::clock::Clock;
#[doc(hidden)]
pub use crate::config::differences::differences;
use crate::config::{Config, HashParameters, SecretKey, SiteUrl, StoragePolicy};
use crate::mail::{MailTransport, Mailbox};
use crate::model::ClientAddress;
#[doc(hidden)]
pub use crate::operations::voids;
use crate::{Accounts, MIGRATIONS, http, secrets};

/// The password of every [`User`].
pub const PASSWORD: &str = "correct horse battery staple";

/// A clock that stands still until it is advanced.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// Makes a clock that shows this instant.
    pub fn at(instant: Timestamp) -> Self {
        Self(Mutex::new(instant))
    }

    /// Returns the instant it shows.
    pub fn now(&self) -> Timestamp {
        *self.0.lock().expect("no test panics while it holds the clock")
    }

    /// Moves the clock forward, or back by a negative duration.
    pub fn advance(&self, by: SignedDuration) {
        *self.0.lock().expect("no test panics while it holds the clock") += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.now()
    }
}

/// An application for one test.
pub struct TestApp {
    /// The clock of the application.
    pub clock: Arc<ManualClock>,
    accounts: Accounts,
    db: Arc<TempDb>,
    /// The folder of its pictures, unless configured otherwise.
    media: Arc<TempDir>,
    router: Router,
    contract: Arc<Contract>,
}

impl TestApp {
    /// Starts the accounts alone, with safe defaults but cheap hashes.
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// Starts the accounts alone, with a changed configuration.
    pub async fn with(configure: impl FnOnce(&mut Config)) -> Self {
        let media = media_folder();
        let mut config = with_media(cheap_config(secrets::generate_secret_key()), &media);
        configure(&mut config);
        Self::assemble(Arc::new(TempDb::new(&[&MIGRATIONS]).await), media, start_clock(), config, accounts_alone)
    }

    /// Starts a host application with its own migrations.
    pub async fn host(migrations: &[&Migrations], host: impl FnOnce(Accounts) -> (Router, OpenApi)) -> Self {
        Self::host_with(migrations, |_| (), host).await
    }

    /// Starts a host application with a changed configuration of its accounts.
    pub async fn host_with(
        migrations: &[&Migrations],
        configure: impl FnOnce(&mut Config),
        host: impl FnOnce(Accounts) -> (Router, OpenApi),
    ) -> Self {
        let sets: Vec<&Migrations> = std::iter::once(&MIGRATIONS).chain(migrations.iter().copied()).collect();
        let media = media_folder();
        let mut config = with_media(cheap_config(secrets::generate_secret_key()), &media);
        configure(&mut config);
        Self::assemble(Arc::new(TempDb::new(&sets).await), media, start_clock(), config, host)
    }

    /// Starts another instance of the accounts alone, with the same database and clock. Its configuration starts with this
    /// instance's secret key.
    #[must_use]
    pub fn another_instance(&self, configure: impl FnOnce(Config) -> Config) -> Self {
        let key = self.accounts.config().secret_keys()[0].clone();
        let config = configure(with_media(cheap_config(key), &self.media));
        Self::assemble(Arc::clone(&self.db), Arc::clone(&self.media), Arc::clone(&self.clock), config, accounts_alone)
    }

    fn assemble(
        db: Arc<TempDb>,
        media: Arc<TempDir>,
        clock: Arc<ManualClock>,
        config: Config,
        host: impl FnOnce(Accounts) -> (Router, OpenApi),
    ) -> Self {
        let accounts = Accounts::with_clock(db.db().clone(), config, Arc::clone(&clock) as Arc<dyn Clock>);
        let (router, document) = host(accounts.clone());
        let contract = Arc::new(Contract::new(&document));
        Self { clock, accounts, db, media, router, contract }
    }

    /// Returns the handle, for calls that bypass HTTP.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Returns the captured mails.
    pub fn mailbox(&self) -> &Mailbox {
        self.accounts.mailbox().expect("a test captures mail unless it says otherwise")
    }

    /// Runs all due jobs, and returns their number.
    pub async fn run_jobs(&self) -> usize {
        self.accounts.run_due_jobs().await.expect("the database answers")
    }

    /// Returns the database.
    pub fn db(&self) -> &Db {
        self.db.db()
    }

    /// Returns a browser without a login.
    pub fn browser(&self) -> Browser {
        Browser::new(self.anonymous())
    }

    /// Returns the folder of its pictures in the default storage.
    pub fn pictures_folder(&self) -> PathBuf {
        self.media.path().join("profile_pics")
    }

    /// Returns a caller without a login.
    pub fn anonymous(&self) -> Caller {
        self.bearer(None)
    }

    /// Returns a caller with this access token.
    pub fn bearer(&self, token: Option<String>) -> Caller {
        let contract = Arc::clone(&self.contract);
        Caller { router: self.router.clone(), contract, token, address: ClientAddress::Host, cookie: None }
    }

    /// Registers a user of this name, with the address `<name>@example.com` and [`PASSWORD`], and logs them in.
    pub async fn user(&self, name: &str) -> User {
        let email = format!("{name}@example.com");
        let anonymous = self.anonymous();
        let body = json!({ "username": name, "email": email, "password": PASSWORD });
        let registered = anonymous.post("/api/users", body).await.ok(201);
        let id = registered["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        let token = anonymous.log_in(&email, PASSWORD).await.ok(200)["access_token"].as_str().map(str::to_owned);
        User { id, email, caller: self.bearer(token) }
    }
}

/// Returns safe defaults, but with cheap hashes and captured mail.
pub fn cheap_config(secret_key: SecretKey) -> Config {
    let mut config = Config::new(secret_key, site_url());
    config.password.hash_parameters = HashParameters::new(32, 1, 1).expect("legal costs");
    config.mail.transport = MailTransport::Capture;
    config
}

/// Returns the URL of a test's site.
fn site_url() -> SiteUrl {
    "http://localhost:8000".parse().expect("the address of a site")
}

fn media_folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("a temporary folder"))
}

fn with_media(mut config: Config, folder: &TempDir) -> Config {
    config.media.storage = StoragePolicy::Disk { folder: folder.path().to_owned() };
    config
}

fn start_clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-11-24T08:00:00Z".parse().expect("an instant")))
}

fn accounts_alone(accounts: Accounts) -> (Router, OpenApi) {
    let api: OpenApiRouter<Accounts> = http::routes(&accounts.config().http);
    let document = api.merge(http::well_known::routes()).into_openapi();
    (crate::mount(Router::new(), &accounts).with_state(accounts), document)
}
