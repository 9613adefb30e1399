//! Private notes: what a host application adds to the accounts. A table, a page with a form, a hook, a job, a command and a
//! readiness check, and the server shell around them (settings, commands, TLS, logs, backups).
//!
//! ```sh
//! cargo run -p example-notes -- dev
//! ```

mod housekeeping;
mod page;
mod store;

use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use countersign::config::HttpPolicy;
use countersign::model::{Event, EventKind};
use countersign::templates::TemplatesBuilder;
use countersign::{Accounts, HookFuture, Hooks, RecurringJob};
use countersign_db::{Conn, Migrations};
use countersign_server::{Host, HostError, NoSettings, OpenApiRouter, ReadinessCheck};

static MIGRATIONS: Migrations = countersign_db::migrations!("notes", [1 => "0001_notes"]);

struct Notes;

impl Host for Notes {
    const NAME: &'static str = "notes";
    const TITLE: &'static str = "Notes";
    const ABOUT: &'static str = "Private notes: an example of a host application";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const MIGRATIONS: &'static [&'static Migrations] = &[&MIGRATIONS];

    type Settings = NoSettings;
    type State = Accounts;
    type Commands = housekeeping::Commands;

    async fn state(accounts: Accounts, _: &NoSettings) -> Result<Accounts, HostError> {
        Ok(accounts)
    }

    fn hooks(_: &NoSettings) -> Option<Arc<dyn Hooks>> {
        Some(Arc::new(Welcome))
    }

    fn jobs(accounts: &Accounts, _: &NoSettings) -> Vec<RecurringJob> {
        vec![housekeeping::job(accounts)]
    }

    fn readiness_checks(accounts: &Accounts, _: &NoSettings) -> Vec<ReadinessCheck> {
        vec![housekeeping::readiness_check(accounts)]
    }

    fn templates(ours: TemplatesBuilder) -> TemplatesBuilder {
        page::templates(ours)
    }

    fn pages(_: &NoSettings) -> Router<Accounts> {
        countersign::pages::routes().route("/", get(page::show).post(page::add))
    }

    fn routes(_: &NoSettings, http: &HttpPolicy) -> OpenApiRouter<Accounts> {
        countersign::http::routes(http)
    }
}

/// Every new user finds a first note, written in the transaction of the registration: there is no user without it.
struct Welcome;

impl Hooks for Welcome {
    fn happened<'h>(&'h self, event: &'h Event, conn: Conn<'h>) -> HookFuture<'h> {
        Box::pin(async move {
            match event.kind {
                EventKind::Registered => {
                    store::insert(
                        conn,
                        event.subject,
                        store::NoteId::new(event.happened_at),
                        "Welcome! Only you see your notes.",
                    )
                    .await
                }
                _ => Ok(()),
            }
        })
    }
}

fn main() -> ExitCode {
    countersign_server::run::<Notes>()
}
