//! Formats log lines, as JSON or as text, with the ID of the request.

use std::cell::RefCell;
use std::fmt::{self, Write as _};

use countersign::clock::{Clock as _, SystemClock};
use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::{RequestId, TraceId};

/// One JSON object per line: `timestamp`, `level`, the event's fields, `target`, and in `span` the request ID and the
/// fields of the innermost span.
///
/// Every request writes a line, so it is built in one buffer and mostly without [`std::fmt`], which takes a third of
/// the time.
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        let mut line = String::with_capacity(LINE_BYTES);
        line.push_str(r#"{"timestamp":""#);
        push_timestamp(&mut line, SystemClock.now())?;
        line.push_str(r#"","level":""#);
        line.push_str(metadata.level().as_str());
        line.push('"');
        let mut fields = JsonFields { line: &mut line, outcome: Ok(()) };
        event.record(&mut fields);
        fields.outcome?;
        line.push_str(r#","target":""#);
        push_escaped(&mut line, metadata.target());
        line.push('"');
        let span = context.lookup_current();
        let request = RequestId::current();
        if span.is_some() || request.is_some() {
            line.push_str(r#","span":{"name":""#);
            line.push_str(span.as_ref().map_or("request", |span| span.name()));
            line.push('"');
            if let Some(request) = request {
                line.push_str(r#","request_id":""#);
                line.push_str(request.as_str());
                line.push('"');
            }
            if let Some(trace) = TraceId::current() {
                line.push_str(r#","trace_id":""#);
                line.push_str(trace.as_str());
                line.push('"');
            }
            let extensions = span.as_ref().map(|span| span.extensions());
            let fields = extensions.as_ref().and_then(|extensions| extensions.get::<FormattedFields<N>>());
            if let Some(fields) = fields.and_then(|fields| fields.strip_prefix('{')?.strip_suffix('}'))
                && !fields.is_empty()
            {
                line.push(',');
                line.push_str(fields);
            }
            line.push('}');
        }
        line.push_str("}\n");
        writer.write_str(&line)
    }
}

/// Initial capacity of a line, in bytes; the line of a request is shorter.
const LINE_BYTES: usize = 512;

/// Appends a timestamp in UTC with microseconds (RFC 3339). Everything but the fraction is cached for the current
/// second.
fn push_timestamp(line: &mut String, now: Timestamp) -> fmt::Result {
    thread_local! {
        static SECOND: RefCell<(Timestamp, String)> = const { RefCell::new((Timestamp::MIN, String::new())) };
    }
    let Ok(mut microseconds) = u32::try_from(now.subsec_microsecond()) else {
        return write!(line, "{now:.6}"); // before 1970
    };
    SECOND.with_borrow_mut(|(second, text)| {
        if second.as_second() != now.as_second() {
            *second = now;
            text.clear();
            write!(text, "{now:.0}")?;
        }
        line.push_str(text.trim_end_matches('Z'));
        fmt::Result::Ok(())
    })?;
    let mut fraction = *b".000000Z";
    for digit in fraction[1..7].iter_mut().rev() {
        *digit += u8::try_from(microseconds % 10).unwrap_or(0);
        microseconds /= 10;
    }
    line.push_str(str::from_utf8(&fraction).unwrap_or_default());
    Ok(())
}

/// The default format of [`tracing_subscriber`], followed by the request ID.
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

/// Writes the fields of an event as members of an object that is not empty.
struct JsonFields<'l> {
    line: &'l mut String,
    outcome: fmt::Result,
}

impl JsonFields<'_> {
    fn name(&mut self, field: &Field) {
        let name = field.name();
        self.line.push_str(",\"");
        self.line.push_str(name.strip_prefix("r#").unwrap_or(name));
        self.line.push_str("\":");
    }

    fn bare(&mut self, field: &Field, value: impl fmt::Display) {
        self.name(field);
        self.outcome = self.outcome.and(write!(self.line, "{value}"));
    }
}

impl Visit for JsonFields<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.name(field);
        self.line.push_str(itoa::Buffer::new().format(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.bare(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity.
        if value.is_finite() { self.bare(field, value) } else { self.bare(field, "null") }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bare(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        self.line.push('"');
        push_escaped(self.line, value);
        self.line.push('"');
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.name(field);
        self.line.push('"');
        self.outcome = self.outcome.and(write!(Escaping(self.line), "{value:?}"));
        self.line.push('"');
    }
}

/// Escapes text inside a JSON string.
struct Escaping<'l>(&'l mut String);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

/// Escapes text for JSON (RFC 8259, section 7).
fn push_escaped(line: &mut String, text: &str) {
    let has_to_be = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    // Checks bytes: all characters to escape are ASCII, and no byte of another character is. Usually none needs
    // escaping, and a fold over all bytes vectorizes.
    if !text.bytes().fold(false, |any, byte| any | has_to_be(byte)) {
        line.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '"' => line.push_str(r#"\""#),
            '\\' => line.push_str(r"\\"),
            '\0'..' ' => {
                line.push_str("\\u00");
                for shift in [4, 0] {
                    line.extend(char::from_digit(u32::from(character) >> shift & 15, 16));
                }
            }
            other => line.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_can_be_read_again() {
        for text in ["", "plain", "\"quoted\"", "C:\\", "a\nb\r\t\u{0}\u{1f}", "é 李 \u{7f}\u{2028}", "\u{1b}[31mred\\"]
        {
            let mut line = String::new();
            push_escaped(&mut line, text);
            let read: String = serde_json::from_str(&format!("\"{line}\"")).unwrap();
            assert_eq!(read, text);
        }
    }

    #[test]
    fn times_are_written_to_the_microsecond() {
        let later = "2026-11-25T04:45:12.000001Z";
        for written in
            ["2026-11-25T04:45:12.120450Z", later, later, "2026-11-25T04:45:13.999999Z", "1969-12-31T23:59:59.500000Z"]
        {
            let mut line = String::new();
            push_timestamp(&mut line, written.parse().unwrap()).unwrap();
            assert_eq!(line, written);
        }
    }
}
