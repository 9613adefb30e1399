//! Runs a host application of Countersign: its settings, command line, logging and HTTP server.
//!
//! A host implements [`Host`]; this is its whole `main`:
//!
//! ```no_run
//! # use countersign::Accounts;
//! # use countersign::config::HttpPolicy;
//! # use countersign_server::{Host, HostError, NoCommands, NoSettings, OpenApiRouter};
//! struct Notes;
//!
//! impl Host for Notes {
//!     const NAME: &'static str = "notes";
//!     const ABOUT: &'static str = "Notes that only their author sees";
//!     const VERSION: &'static str = env!("CARGO_PKG_VERSION");
//!     type Settings = NoSettings;
//!     type State = Accounts;
//!     type Commands = NoCommands;
//!
//!     async fn state(accounts: Accounts, _: &NoSettings) -> Result<Accounts, HostError> {
//!         Ok(accounts)
//!     }
//!
//!     fn routes(_: &NoSettings, http: &HttpPolicy) -> OpenApiRouter<Accounts> {
//!         countersign::http::routes(http)
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     countersign_server::run::<Notes>()
//! }
//! ```

mod backup;
mod cli;
mod connect;
mod docs;
mod failure;
mod host;
mod http;
mod metrics;
mod schema;
mod serve;
pub mod settings;
mod telemetry;
mod tls;

/// The crate of the command line, in the version that [`Host::Commands`] needs.
#[doc(no_inline)]
pub use clap;

pub use cli::{run, say};
pub use host::{HostCommands, HostError, NoCommands, ReadinessCheck};
pub use http::{
    Audience, CrossOrigins, Draining, Hsts, HstsScope, HttpSettings, KINDS, assemble, openapi, problems_reference,
};
pub use metrics::Metrics;
pub use telemetry::TraceParents;
pub use utoipa_axum::router::OpenApiRouter;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::response::Redirect;
use axum::routing::get;
use countersign::config::HttpPolicy;
use countersign::http::problem::ProblemKind;
use countersign::templates::TemplatesBuilder;
use countersign::{Accounts, Hooks, RecurringJob};
use countersign_db::{DerivedTable, Migrations};

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// An application that embeds the accounts and is run by this crate.
pub trait Host: Sized + 'static {
    /// The name of the binary.
    const NAME: &'static str;
    /// The name of the site that users see, unless `SITE_NAME` is set.
    const TITLE: &'static str = Self::NAME;
    /// One sentence for `--help` and for the OpenAPI document.
    const ABOUT: &'static str;
    /// The version, for `--version` and for the OpenAPI document.
    const VERSION: &'static str;
    /// The migrations of the host, which run after those of the accounts.
    const MIGRATIONS: &'static [&'static Migrations] = &[];
    /// The host's tables that are filled by triggers. The `copy` command does not copy them; it lets the triggers fill
    /// them, then compares.
    const DERIVED_TABLES: &'static [DerivedTable] = &[];
    /// The host's problem kinds, listed at `/problems` with those of the accounts.
    const PROBLEMS: &'static [&'static ProblemKind] = &[];

    /// The host's settings, read from the same three tiers. Each has a default or is an `Option`, so that the OpenAPI
    /// document can be generated without any configuration.
    type Settings: conf::Conf + Send + Sync + 'static;
    /// The state of the host's handlers, for axum's `State`.
    type State: Clone + Send + Sync + 'static;
    /// The host's own commands, or [`NoCommands`].
    type Commands: HostCommands<Self>;

    /// Creates the state when the program starts, also for the host's commands. An error is printed with its causes and
    /// the host's name, and the program ends with exit status 1.
    fn state(
        accounts: Accounts,
        settings: &Self::Settings,
    ) -> impl Future<Output = Result<Self::State, HostError>> + Send;

    /// Returns the host's code that runs in the transactions of the accounts.
    fn hooks(_: &Self::Settings) -> Option<Arc<dyn Hooks>> {
        None
    }

    /// Returns the host's recurring jobs, which `dev` and `serve` run besides those of the accounts.
    fn jobs(_: &Self::State, _: &Self::Settings) -> Vec<RecurringJob> {
        Vec::new()
    }

    /// Returns the host's own conditions for `GET /ready`.
    fn readiness_checks(_: &Self::State, _: &Self::Settings) -> Vec<ReadinessCheck> {
        Vec::new()
    }

    /// Adds the host's templates and texts to the library's.
    fn templates(ours: TemplatesBuilder) -> TemplatesBuilder {
        ours
    }

    /// Returns the host's pages, with `countersign::pages::routes()` merged in. By default only those of the accounts.
    fn pages(_: &Self::Settings) -> Router<Self::State>
    where
        Accounts: FromRef<Self::State>,
    {
        countersign::pages::routes().route("/", get(|| async { Redirect::temporary("/account") }))
    }

    /// Returns the host's JSON API under `/api`, with `countersign::http::routes(http)` merged in.
    fn routes(settings: &Self::Settings, http: &HttpPolicy) -> OpenApiRouter<Self::State>;
}

/// The settings of a host without settings.
#[derive(conf::Conf)]
pub struct NoSettings {}
