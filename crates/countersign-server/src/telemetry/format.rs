//! Decides how a line of the log looks: an object of JSON, or text for a person, either with the id of its request.

use std::fmt::{self, Write as _};

use countersign::clock::{Clock as _, SystemClock};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::{RequestId, TraceId};

/// One object a line: `timestamp`, `level`, the event's fields, `target`, and in `span` the request's id and what the
/// innermost span says.
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        write!(line, r#"{{"timestamp":"{:.6}","level":"{}""#, SystemClock.now(), metadata.level())?;
        let mut fields = JsonFields { line: line.by_ref(), outcome: Ok(()) };
        event.record(&mut fields);
        fields.outcome?;
        line.write_str(r#","target":""#)?;
        write_escaped(&mut line, metadata.target())?;
        line.write_char('"')?;
        let span = context.lookup_current();
        let request = RequestId::current();
        if span.is_some() || request.is_some() {
            let name = span.as_ref().map_or("request", |span| span.name());
            for part in [r#","span":{"name":""#, name, "\""] {
                line.write_str(part)?;
            }
            if let Some(request) = request {
                for part in [r#","request_id":""#, request.as_str(), "\""] {
                    line.write_str(part)?;
                }
            }
            if let Some(trace) = TraceId::current() {
                for part in [r#","trace_id":""#, trace.as_str(), "\""] {
                    line.write_str(part)?;
                }
            }
            let extensions = span.as_ref().map(|span| span.extensions());
            let fields = extensions.as_ref().and_then(|extensions| extensions.get::<FormattedFields<N>>());
            if let Some(fields) = fields.and_then(|fields| fields.strip_prefix('{')?.strip_suffix('}'))
                && !fields.is_empty()
            {
                write!(line, ",{fields}")?;
            }
            line.write_char('}')?;
        }
        line.write_str("}\n")
    }
}

/// The usual format of [`tracing_subscriber`], and then the request's id.
pub(super) struct Human(pub(super) format::Format);

impl<S, N> FormatEvent<S, N> for Human
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut usual = String::new();
        self.0.format_event(context, Writer::new(&mut usual), event)?;
        line.write_str(usual.trim_end())?;
        if let Some(request) = RequestId::current() {
            write!(line, " request_id={}", request.as_str())?;
        }
        if let Some(trace) = TraceId::current() {
            write!(line, " trace_id={}", trace.as_str())?;
        }
        writeln!(line)
    }
}

/// Writes the fields of an event as members of an object that has one already.
struct JsonFields<'w> {
    line: Writer<'w>,
    outcome: fmt::Result,
}

impl JsonFields<'_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let name = field.name();
        let write = || {
            for part in [",\"", name.strip_prefix("r#").unwrap_or(name), "\":"] {
                self.line.write_str(part)?;
            }
            value(&mut self.line)
        };
        if self.outcome.is_ok() {
            self.outcome = write();
        }
    }

    fn text(&mut self, field: &Field, text: impl fmt::Display) {
        self.member(field, |line| {
            line.write_str("\"")?;
            write!(Escaping(line), "{text}")?;
            line.write_str("\"")
        });
    }
}

impl Visit for JsonFields<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity.
        self.member(field, |line| if value.is_finite() { write!(line, "{value}") } else { line.write_str("null") });
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field, |line| write!(line, "{value}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, format_args!("{value:?}"));
    }
}

/// Writes what is part of a text in JSON.
struct Escaping<'w, 'l>(&'w mut Writer<'l>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_escaped(self.0, text)
    }
}

/// RFC 8259, section 7.
fn write_escaped(line: &mut Writer<'_>, text: &str) -> fmt::Result {
    let mut rest = text;
    // Byte by byte: what has to be escaped is ASCII, and no part of another character is.
    while let Some(at) = rest.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        let (before, after) = rest.split_at(at);
        line.write_str(before)?;
        let mut characters = after.chars();
        match characters.next() {
            Some('"') => line.write_str(r#"\""#)?,
            Some('\\') => line.write_str(r"\\")?,
            Some(control) => write!(line, "\\u{:04x}", u32::from(control))?,
            None => {}
        }
        rest = characters.as_str();
    }
    line.write_str(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_can_be_read_again() {
        for text in ["", "plain", "\"quoted\"", "C:\\", "a\nb\r\t\u{0}\u{1f}", "é 李 \u{7f}\u{2028}", "\u{1b}[31mred\\"]
        {
            let mut line = String::new();
            write_escaped(&mut Writer::new(&mut line), text).unwrap();
            let read: String = serde_json::from_str(&format!("\"{line}\"")).unwrap();
            assert_eq!(read, text);
        }
    }
}
