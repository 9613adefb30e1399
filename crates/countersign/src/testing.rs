//! How a whole application is tested: its real router on a database of its own, callers as types, a clock that is
//! wound by hand.
//!
//! Every answer is compared with the application's OpenAPI document: an answer that the document does not describe fails
//! the test.

mod browser;
mod caller;
mod contract;
pub mod parsers;
pub mod pictures;
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
pub use self::smtp_server::{SmtpHello, SmtpMood, SmtpRefusal, SmtpServer, SmtpServerOptions};

use self::contract::Contract;
use crate::clock::Clock;
#[doc(hidden)]
pub use crate::config::differences::differences;
use crate::config::{Config, HashParameters, SecretKey, SiteUrl, StoragePolicy};
use crate::mail::{MailTransport, Mailbox};
use crate::model::ClientAddress;
pub use crate::operations::voids;
use crate::{Accounts, MIGRATIONS, http, secrets};

/// The password of every [`User`].
pub const PASSWORD: &str = "correct horse battery staple";

/// A clock that stands still until it is advanced.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows this instant.
    pub fn at(instant: Timestamp) -> Self {
        Self(Mutex::new(instant))
    }

    /// The instant it shows.
    pub fn now(&self) -> Timestamp {
        *self.0.lock().expect("no test panics while it holds the clock")
    }

    /// Goes forward, or back by a negative duration.
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
    /// Its clock.
    pub clock: Arc<ManualClock>,
    accounts: Accounts,
    db: Arc<TempDb>,
    /// Where its pictures are, unless it is configured otherwise.
    media: Arc<TempDir>,
    router: Router,
    contract: Arc<Contract>,
}

impl TestApp {
    /// The accounts alone, with safe defaults but cheap hashes.
    pub async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// The accounts alone, configured.
    pub async fn with(configure: impl FnOnce(&mut Config)) -> Self {
        let media = media_folder();
        let mut config = with_media(cheap_config(secrets::generate_secret_key()), &media);
        configure(&mut config);
        Self::assemble(Arc::new(TempDb::new(&[&MIGRATIONS]).await), media, start_clock(), config, accounts_alone)
    }

    /// A host application with migrations of its own.
    pub async fn host(migrations: &[&Migrations], host: impl FnOnce(Accounts) -> (Router, OpenApi)) -> Self {
        Self::host_with(migrations, |_| (), host).await
    }

    /// A host application whose accounts are configured.
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

    /// Another instance of the accounts alone, on the same database and by the same clock. It begins with the secret key of
    /// this one.
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

    /// The handle, for calls that do not go through HTTP.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The mails that were captured.
    pub fn mailbox(&self) -> &Mailbox {
        self.accounts.mailbox().expect("a test captures mail unless it says otherwise")
    }

    /// Does everything that was promised and is due; how many jobs that were.
    pub async fn run_jobs(&self) -> usize {
        self.accounts.run_due_jobs().await.expect("the database answers")
    }

    /// The database.
    pub fn db(&self) -> &Db {
        self.db.db()
    }

    /// Somebody who looks at pages and is not logged in.
    pub fn browser(&self) -> Browser {
        Browser::new(self.anonymous())
    }

    /// The folder of its pictures, as its default storage has them.
    pub fn pictures_folder(&self) -> PathBuf {
        self.media.path().join("profile_pics")
    }

    /// Somebody who is not logged in.
    pub fn anonymous(&self) -> Caller {
        self.bearer(None)
    }

    /// Somebody who presents this access token.
    pub fn bearer(&self, token: Option<String>) -> Caller {
        let contract = Arc::clone(&self.contract);
        Caller { router: self.router.clone(), contract, token, address: ClientAddress::Host, cookie: None }
    }

    /// A new user by this name, with the address `<name>@example.com` and [`PASSWORD`], logged in.
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

/// Safe defaults, but cheap hashes, and mail is captured.
pub fn cheap_config(secret_key: SecretKey) -> Config {
    let mut config = Config::new(secret_key, site_url());
    config.password.hash_parameters = HashParameters::new(32, 1, 1).expect("legal costs");
    config.mail.transport = MailTransport::Capture;
    config
}

/// Where the site of a test is.
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
    (crate::mount(Router::new(), &accounts), api.merge(http::well_known::routes()).into_openapi())
}
