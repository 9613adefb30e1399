//! Running a host application of Countersign: its settings, its command line, its logs and its serving.
//!
//! A host says what it is by implementing [`Host`]; its whole `main` is then
//!
//! ```no_run
//! # use countersign::Accounts;
//! # use countersign::config::HttpPolicy;
//! # use countersign_server::{Host, NoSettings, OpenApiRouter};
//! struct Notes;
//!
//! impl Host for Notes {
//!     const NAME: &'static str = "notes";
//!     const ABOUT: &'static str = "Notes that only their author sees";
//!     type Settings = NoSettings;
//!     type State = Accounts;
//!
//!     fn state(accounts: Accounts, _: &NoSettings) -> Accounts {
//!         accounts
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

mod cli;
mod docs;
mod http;
mod metrics;
mod schema;
mod serve;
pub mod settings;
mod telemetry;
mod tls;

pub use cli::run;
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
use countersign::{Accounts, Hooks};
use countersign_db::{DerivedTable, Migrations};

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// An application that embeds the accounts and is run by this crate.
pub trait Host: 'static {
    /// The name of its binary.
    const NAME: &'static str;
    /// What the site calls itself before people, unless `SITE_NAME` says otherwise.
    const TITLE: &'static str = Self::NAME;
    /// One sentence for `--help` and for the OpenAPI document.
    const ABOUT: &'static str;
    /// Its version, for `--version` and for the OpenAPI document.
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    /// Its own migrations; they run after those of the accounts.
    const MIGRATIONS: &'static [&'static Migrations] = &[];
    /// Those of its tables that its triggers fill: the command `copy` has them filled again, and compares them.
    const DERIVED_TABLES: &'static [DerivedTable] = &[];
    /// Its own kinds of problem, listed at `/problems` beside those of the accounts.
    const PROBLEMS: &'static [&'static ProblemKind] = &[];

    /// Its own settings, read from the same three tiers. Every one has a default or is an `Option`, so that the OpenAPI
    /// document can be made on a machine that is not set up.
    type Settings: conf::Conf + Send + Sync + 'static;
    /// What its handlers take from axum's `State`.
    type State: Clone + Send + Sync + 'static;

    /// Makes the state when the program starts.
    fn state(accounts: Accounts, settings: &Self::Settings) -> Self::State;

    /// Its code that runs in the transactions of the accounts.
    fn hooks(_: &Self::Settings) -> Option<Arc<dyn Hooks>> {
        None
    }

    /// Adds its own templates and texts to the library's.
    fn templates(ours: TemplatesBuilder) -> TemplatesBuilder {
        ours
    }

    /// Its pages, with `countersign::pages::routes()` merged in. Without any of its own it has those of the accounts.
    fn pages(_: &Self::Settings) -> Router<Self::State>
    where
        Accounts: FromRef<Self::State>,
    {
        countersign::pages::routes().route("/", get(|| async { Redirect::temporary("/account") }))
    }

    /// Its JSON API, under `/api`, with `countersign::http::routes(http)` merged in.
    fn routes(settings: &Self::Settings, http: &HttpPolicy) -> OpenApiRouter<Self::State>;
}

/// The settings of a host that has none of its own.
#[derive(conf::Conf)]
pub struct NoSettings {}
