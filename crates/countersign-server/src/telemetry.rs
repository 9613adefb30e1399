//! Sets up logging and tracing, and keeps secrets out of both.

mod format;
mod lines;
mod request_span;
#[cfg(feature = "otlp")]
mod traces;
#[cfg(not(feature = "otlp"))]
#[path = "telemetry/no_traces.rs"]
mod traces;

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _};
use std::panic;

use axum::http::{HeaderName, HeaderValue};
use countersign::operator::random_uuid_v7;
use countersign_db::TRACE_TARGET;
use jiff::Timestamp;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::fmt::format::{Format, JsonFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use self::format::{Human, Json};
use self::lines::Lines;
pub(crate) use self::request_span::RequestSpan;
pub use self::request_span::TraceParents;
pub(crate) use self::traces::Traces;
use crate::settings::{LogFilter, LogFormat};

/// Crates that see statements, headers or bodies and would log them at verbose levels. They are limited to `warn`,
/// whatever `LOG` is.
const DISCREET: [&str; 12] = [
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
    "hyper_rustls",
    "reqwest",
];

static LINES: Lines = Lines::new();

tokio::task_local! {
    static REQUEST: RequestId;
    /// Also set if requests are traced.
    static TRACE: TraceId;
}

/// The ID of a request: a hyphenated UUIDv7.
///
/// All log lines during the request contain it. It is not a `tracing` span, because opening and closing a span costs
/// more than handling most requests.
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

    /// Returns the ID of the current request.
    fn current() -> Option<Self> {
        REQUEST.try_with(|id| *id).ok()
    }

    /// Marks log lines written during `work`.
    pub(crate) fn during<T>(self, work: impl FnOnce() -> T) -> T {
        REQUEST.sync_scope(self, work)
    }
}

/// The ID of a trace: 32 hexadecimal digits (W3C Trace Context, section 3.2.2.3).
#[derive(Clone, Copy)]
pub(crate) struct TraceId([u8; 32]);

impl TraceId {
    #[cfg(feature = "otlp")]
    fn new(id: [u8; 16]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |at: usize| {
            let byte = id[at / 2];
            DIGITS[usize::from(if at.is_multiple_of(2) { byte >> 4 } else { byte & 15 })]
        };
        Self(std::array::from_fn(digit))
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("digits are ASCII")
    }

    /// Returns the ID of the current trace.
    fn current() -> Option<Self> {
        TRACE.try_with(|id| *id).ok()
    }
}

/// Where traces are sent.
#[cfg_attr(not(feature = "otlp"), expect(dead_code, reason = "only asked whether there is one"))]
pub(crate) struct TraceSettings {
    pub(crate) program: &'static str,
    pub(crate) version: &'static str,
    /// The collector's base URL, to which `/v1/traces` is appended.
    pub(crate) endpoint: String,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// The fraction of requests to trace, from 0 to 1.
    pub(crate) ratio: f64,
}

/// Starts logging to standard error, including panics, and tracing if it is configured.
pub(crate) fn start(
    filter: &LogFilter,
    format: LogFormat,
    wanted: Option<&TraceSettings>,
) -> Result<Option<Traces>, Box<dyn Error + Send + Sync>> {
    LINES.gather();
    let lines = fmt::layer().with_writer(&LINES);
    let lines = match format {
        LogFormat::Human => lines.event_format(Human(Format::default().with_ansi(has_colours()))).boxed(),
        LogFormat::Json => lines.fmt_fields(JsonFields::new()).event_format(Json).boxed(),
    };
    let filter = filter.env_filter().and(filter_fn(is_discreet));
    let log = Registry::default().with(lines.with_filter(filter));
    let traces = wanted.map(Traces::start).transpose();
    // Only a second start in the same process fails, and then the first subscriber stays.
    let _ = match &traces {
        Ok(Some(traces)) => log.with(traces.layer().with_filter(filter_fn(is_of_a_trace))).try_init(),
        _ => log.try_init(),
    };
    log_panics();
    Ok(traces?)
}

/// Whether log lines are coloured: on a terminal that can, unless the user objects (<https://no-color.org>).
#[expect(clippy::disallowed_methods, reason = "a convention of terminals, not a setting of ours")]
fn has_colours() -> bool {
    io::stderr().is_terminal() && allows_colours(std::env::var_os("NO_COLOR"), std::env::var_os("TERM"))
}

fn allows_colours(no_color: Option<OsString>, term: Option<OsString>) -> bool {
    no_color.is_none_or(|value| value.is_empty()) && term.is_none_or(|terminal| terminal != "dumb")
}

/// Writes pending lines. Warnings and errors are never pending.
pub(crate) fn flush() {
    LINES.flush();
}

fn is_discreet(event: &Metadata<'_>) -> bool {
    let crate_name = event.target().split("::").next().unwrap_or_default();
    !is_of_a_trace(event) && (*event.level() <= Level::WARN || !DISCREET.contains(&crate_name))
}

fn is_of_a_trace(span: &Metadata<'_>) -> bool {
    span.target() == TRACE_TARGET
}

/// Logs panics. Formatted messages are withheld, because they may quote request data (`"byte index 3 is not a char
/// boundary; it is inside …"`); their location is enough.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let reason = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(formatted message withheld)");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(reason, place, "panicked");
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_colours_against_its_will() {
        for (no_color, term, expected) in [
            (None, Some("xterm"), true),
            (Some(""), Some("xterm"), true),
            (Some("1"), Some("xterm"), false),
            (None, Some("dumb"), false),
        ] {
            let allowed = allows_colours(no_color.map(OsString::from), term.map(OsString::from));
            assert_eq!(allowed, expected, "NO_COLOR={no_color:?} TERM={term:?}");
        }
    }
}
