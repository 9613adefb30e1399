//! A blog on the embedded accounts: posts listed newest first, with public authors.
//!
//! It is a small host application. Requests go `http → operations → store`, plain reads `http → store`, and `pages` do
//! the same; everything about users comes from the `countersign` library.

#[doc(hidden)]
pub mod fuzzing;
mod http;
mod model;
mod operations;
mod pages;
pub mod problems;
mod single_flight;
mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::FromRef;
use countersign::Accounts;
use countersign::config::HttpPolicy;
use countersign::http::problem::ProblemKind;
use countersign::templates::TemplatesBuilder;
use countersign_db::{Compared, DerivedTable, Migrations};
use countersign_server::settings::whole_number;
use countersign_server::{Host, HostError, NoCommands, OpenApiRouter};

use crate::operations::list_posts::PageRequest;
use crate::pages::{KeptFeed, Senders};
use crate::single_flight::SingleFlight;

/// The blog's tables. They refer to those of the accounts, which are therefore created first.
pub static MIGRATIONS: Migrations = countersign_db::migrations!("blog", [1 => "0001_posts", 2 => "0002_edits.expand"]);

/// The blog as a host application.
pub struct Blog;

/// The blog's own settings.
#[derive(conf::Conf)]
pub struct BlogSettings {
    /// Number of posts per page, unless the request sets a limit.
    #[conf(env, default_value = "10", value_parser = whole_number(1..=100))]
    pub posts_per_page: u32,

    /// Maximum size of a request body with a post, in bytes. The default fits 100,000 characters of any script, even if
    /// the client writes each as a JSON escape. HTML forms may be three times as large, because they encode the same
    /// text at up to three times the size.
    #[conf(env, default_value = "1310720", value_parser = whole_number(65_536..=16_777_216))]
    pub post_body_bytes_max: usize,
}

/// The state of the handlers, for axum's `State`.
#[derive(Clone)]
pub struct State {
    pub(crate) accounts: Accounts,
    pub(crate) posts_per_page: u32,
    /// Pages of all posts that are being read.
    pub(crate) pages: Arc<SingleFlight<PageRequest, Bytes>>,
    pub(crate) feed: Arc<KeptFeed>,
    pub(crate) senders: Arc<Senders>,
    /// How often posts have changed on this instance.
    changes: Arc<AtomicU64>,
}

impl State {
    /// Creates the state of a blog in which nothing has happened yet.
    pub fn new(accounts: Accounts, settings: &BlogSettings) -> Self {
        Self {
            accounts,
            posts_per_page: settings.posts_per_page,
            pages: Arc::default(),
            feed: Arc::default(),
            senders: Arc::default(),
            changes: Arc::default(),
        }
    }

    /// Records that posts have changed, which makes cached results stale.
    pub(crate) fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns a number that changes whenever posts change.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }
}

impl FromRef<State> for Accounts {
    fn from_ref(state: &State) -> Self {
        state.accounts.clone()
    }
}

impl Host for Blog {
    const NAME: &'static str = "blog";
    const TITLE: &'static str = "Countersign Blog";
    const ABOUT: &'static str = "A blog: posts with public authors, on accounts by Countersign";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const MIGRATIONS: &'static [&'static Migrations] = &[&MIGRATIONS];
    const DERIVED_TABLES: &'static [DerivedTable] = &[
        DerivedTable { name: "post_counts", compared: Compared::Rows },
        // The number of shards differs: one on SQLite, sixteen on PostgreSQL.
        DerivedTable { name: "post_totals", compared: Compared::Sum("posts") },
    ];
    const PROBLEMS: &'static [&'static ProblemKind] = problems::KINDS;

    type Settings = BlogSettings;
    type State = State;
    type Commands = NoCommands;

    async fn state(accounts: Accounts, settings: &BlogSettings) -> Result<State, HostError> {
        Ok(State::new(accounts, settings))
    }

    fn templates(ours: TemplatesBuilder) -> TemplatesBuilder {
        pages::templates(ours)
    }

    fn pages(settings: &BlogSettings) -> Router<State> {
        pages::routes(settings.post_body_bytes_max)
    }

    fn routes(settings: &BlogSettings, http: &HttpPolicy) -> OpenApiRouter<State> {
        countersign::http::routes(http)
            .merge(http::posts::routes(settings.post_body_bytes_max))
            .merge(http::users::routes())
    }
}
