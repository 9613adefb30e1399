//! How a whole application is tested: its real router on a database of its own, callers as types, a clock that is
//! wound by hand.
//!
//! Every answer is compared with the application's OpenAPI document: an answer that the document does not describe fails
//! the test.

mod browser;
mod contract;
pub mod parsers;
pub mod pictures;
mod smtp_server;

use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, Request};
use countersign_db::testing::TempDb;
use countersign_db::{Db, Migrations};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;
use utoipa::openapi::OpenApi;

pub use self::browser::Browser;
pub use self::smtp_server::{SmtpHello, SmtpMood, SmtpRefusal, SmtpServer, SmtpServerOptions};

use self::contract::Contract;
use crate::clock::Clock;
#[doc(hidden)]
pub use crate::config::differences::differences;
use crate::config::{Config, HashParameters, SecretKey, SiteUrl, StoragePolicy};
use crate::mail::{MailTransport, Mailbox};
use crate::model::{ClientAddress, UserId};
pub use crate::operations::voids;
use crate::{Accounts, MIGRATIONS, http, pages, secrets};

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
    let served = accounts.clone();
    let api = http::routes(&accounts.config().http);
    let (router, document) = api.merge(http::well_known::routes()).with_state(accounts).split_for_parts();
    let pages = pages::routes().merge(pages::assets()).with_state(served.clone());
    (router.merge(pages).merge(http::static_files(&served)), document)
}

fn form(pairs: &[(&str, &str)]) -> String {
    let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

/// Somebody who sends requests.
#[derive(Clone)]
pub struct Caller {
    router: Router,
    contract: Arc<Contract>,
    token: Option<String>,
    address: ClientAddress,
    cookie: Option<String>,
}

/// Somebody who has an account and is logged in.
pub struct User {
    /// The user's id.
    pub id: UserId,
    /// The user's address.
    pub email: String,
    caller: Caller,
}

impl Deref for User {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Caller {
    /// The access token that is presented.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same, over a network: from this address. Otherwise it is the test itself that calls.
    ///
    /// # Panics
    /// When that is none.
    #[must_use]
    pub fn at(&self, address: &str) -> Self {
        Self { address: ClientAddress::Known(address.parse().expect("an address")), ..self.clone() }
    }

    /// The same, over a network, where nothing tells from which address.
    #[must_use]
    pub fn at_unknown_address(&self) -> Self {
        Self { address: ClientAddress::Unknown, ..self.clone() }
    }

    /// The same, with this cookie.
    #[must_use]
    pub fn with_cookie(&self, name: &str, value: &str) -> Self {
        Self { cookie: Some(format!("{name}={value}")), ..self.clone() }
    }

    /// Looks at pages.
    pub fn browser(&self) -> Browser {
        Browser::new(self.clone())
    }

    /// Sends `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, None, Body::empty()).await
    }

    /// Sends `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request("DELETE", path, None, Body::empty()).await
    }

    /// Sends `POST` with JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send("POST", path, "application/json", body.to_string()).await
    }

    /// Sends `PUT` with JSON.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, "application/json", body.to_string()).await
    }

    /// Sends `PATCH` with JSON.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, "application/json", body.to_string()).await
    }

    /// Sends the OAuth2 password form.
    pub async fn log_in(&self, username: &str, password: &str) -> Answer {
        self.post_form("/api/users/token", &[("username", username), ("password", password)]).await
    }

    /// Sends `POST` with a form.
    pub async fn post_form(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.send("POST", path, "application/x-www-form-urlencoded", form(pairs)).await
    }

    /// Sends `PATCH` with a file in the field `file` of a form.
    pub async fn upload(&self, path: &str, file_name: &str, bytes: &[u8]) -> Answer {
        let head = format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{file_name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        );
        let body = [head.as_bytes(), bytes, b"\r\n--frontier--\r\n"].concat();
        self.send("PATCH", path, "multipart/form-data; boundary=frontier", body).await
    }

    /// Sends a body of any type.
    pub async fn send(&self, method: &str, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        self.request(method, path, Some(content_type), body.into()).await
    }

    async fn request(&self, method: &str, path: &str, content_type: Option<&str>, body: Body) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        self.send_request(request.body(body).expect("a request")).await
    }

    /// Sends a request as it is, without the caller's token.
    pub async fn send_request(&self, mut request: Request<Body>) -> Answer {
        match self.address {
            ClientAddress::Known(address) => {
                request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address, 4711)));
            }
            // Unless the request itself says from where it comes.
            ClientAddress::Host if request.extensions().get::<ConnectInfo<SocketAddr>>().is_none() => {
                request.extensions_mut().insert(ClientAddress::Host);
            }
            ClientAddress::Host | ClientAddress::Unknown => {}
        }
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body in memory").to_bytes();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body: bytes.to_vec() };
        self.contract.check(&method, &path, &answer);
        answer
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Asserts the status; the JSON of the body, or null if it has none.
    ///
    /// # Panics
    /// When the status is another.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Asserts a problem of this status and code; the JSON of the body.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let body = self.ok(status);
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body["type"], format!("/problems#{code}"), "{body}");
        body
    }

    /// The value of a cookie that it sets.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let set = self.headers.get_all(SET_COOKIE).iter().filter_map(|header| header.to_str().ok());
        let pair = set.filter_map(|text| text.split(';').next()?.split_once('=')).find(|(found, _)| *found == name);
        pair.map(|(_, value)| value.to_owned())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
