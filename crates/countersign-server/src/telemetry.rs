//! Decides what reaches the log, and that nothing secret does.

mod format;
mod lines;

use std::io::{self, IsTerminal as _};
use std::panic;

use countersign::secrets::random_uuid_v7;
use jiff::Timestamp;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::format::{Format, JsonFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use self::format::{Human, Json};
use self::lines::Lines;
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

static LINES: Lines = Lines::new();

tokio::task_local! {
    static REQUEST: RequestId;
}

/// The id of a request: a UUIDv7 in its usual form.
///
/// Whatever is logged while the request is handled carries it. It is kept beside `tracing`'s spans and not in one, because
/// to open and close a span costs more than all that is done for most requests.
#[derive(Clone, Copy)]
pub(crate) struct RequestId([u8; 36]);

impl RequestId {
    pub(crate) fn new(now: Timestamp) -> Self {
        let mut text = [0; 36];
        random_uuid_v7(now).hyphenated().encode_lower(&mut text);
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("a UUID is ASCII")
    }

    /// Of the request that is being handled here.
    fn current() -> Option<Self> {
        REQUEST.try_with(|id| *id).ok()
    }

    /// Marks what is logged meanwhile.
    pub(crate) fn during<T>(self, work: impl FnOnce() -> T) -> T {
        REQUEST.sync_scope(self, work)
    }
}

/// Starts logging to standard error, and to log panics there too.
pub(crate) fn start(filter: &LogFilter, format: LogFormat) {
    LINES.gather();
    let lines = fmt::layer().with_writer(&LINES);
    let lines = match format {
        LogFormat::Human => lines.event_format(Human(Format::default().with_ansi(io::stderr().is_terminal()))).boxed(),
        LogFormat::Json => lines.fmt_fields(JsonFields::new()).event_format(Json).boxed(),
    };
    let filter = filter.env_filter().and(filter_fn(is_discreet));
    // Only a second start in the same process fails, and then the first one's log goes on.
    let _ = Registry::default().with(lines.with_filter(filter)).try_init();
    log_panics();
}

/// Writes what is still waiting to be written. Lines that warn never wait.
pub(crate) fn flush() {
    LINES.flush();
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
