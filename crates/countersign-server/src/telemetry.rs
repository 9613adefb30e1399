//! Decides what reaches the log, and that nothing secret does.

use std::io::{self, IsTerminal as _};
use std::panic;

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use crate::settings::{LogFilter, LogFormat};

/// Crates that see statements, headers or bodies, and would log them at their chattier levels. They stay at `warn`,
/// whatever `LOG` asks for.
const DISCREET: [&str; 10] = [
    "sqlx",
    "sqlx_core",
    "sqlx_postgres",
    "sqlx_sqlite",
    "hyper",
    "hyper_util",
    "h2",
    "rustls",
    "jsonwebtoken",
    "tower_http",
];

/// Starts logging to standard error, and to log panics there too.
pub(crate) fn start(filter: &LogFilter, format: LogFormat) {
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Human => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let filter = filter.env_filter().and(filter_fn(is_discreet));
    // Only a second start in the same process fails, and then the first one's log goes on.
    let _ = Registry::default().with(lines.with_filter(filter)).try_init();
    log_panics();
}

fn is_discreet(event: &Metadata<'_>) -> bool {
    let crate_name = event.target().split("::").next().unwrap_or_default();
    *event.level() <= Level::WARN || !DISCREET.contains(&crate_name)
}

/// A formatted panic message may quote what a request contained (`"byte index 3 is not a char boundary; it is inside …"`),
/// so only literal messages are shown; the place says enough about the others.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let message = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(formatted message withheld)");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(message, place, "panicked");
    }));
}
