//! A streaming parser of `multipart/form-data` (RFC 7578, RFC 2046 section 5.1), which buffers only the latest piece and the header
//! of one part. Separate from its two users: forms in memory, and uploads of pictures.

use crate::http::problem::{Problem, UNREADABLE_BODY};

/// Maximum size of one part's header fields, in bytes.
const HEAD_BYTES_MAX: usize = 8 * 1024;
const BOUNDARY_BYTES_MAX: usize = 70;

/// The body does not follow the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<Malformed> for Problem {
    fn from(_: Malformed) -> Self {
        Self::new(&UNREADABLE_BODY)
    }
}

/// The header of a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PartHead {
    /// The field's name.
    pub(crate) name: Option<String>,
    /// Whether the part is a file or a text.
    pub(crate) kind: PartKind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PartKind {
    #[default]
    Text,
    File,
}

/// What the parser emits, in order.
#[derive(Debug)]
pub(crate) enum Event<'b> {
    /// A part begins.
    Part(PartHead),
    /// More of its content.
    Data(&'b [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    AfterDelimiter,
    Head,
    Content,
    Epilogue,
}

/// The parser.
pub(crate) struct Multipart {
    /// CR LF, two hyphens, and the boundary.
    delimiter: Vec<u8>,
    kept: Vec<u8>,
    state: State,
}

impl Multipart {
    /// Makes a parser for a body of this `Content-Type`; `None` if it is another media type.
    pub(crate) fn of_type(content_type: &str) -> Option<Result<Self, Malformed>> {
        let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        if !media_type.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameter(parameters, "boundary").filter(|text| (1..=BOUNDARY_BYTES_MAX).contains(&text.len()));
        // The first delimiter has no line break before it, so we add one.
        Some(boundary.ok_or(Malformed).map(|boundary| Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            kept: b"\r\n".to_vec(),
            state: State::Preamble,
        }))
    }

    /// Whether the final delimiter has been read.
    pub(crate) fn is_finished(&self) -> bool {
        self.state == State::Epilogue
    }

    /// Parses the next bytes of the body.
    pub(crate) fn push<E: From<Malformed>>(
        &mut self,
        bytes: &[u8],
        mut on_event: impl FnMut(Event<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.state == State::Epilogue {
            return Ok(());
        }
        let mut kept = std::mem::take(&mut self.kept);
        kept.extend_from_slice(bytes);
        let mut rest = &kept[..];
        loop {
            match self.state {
                State::Preamble | State::Content => {
                    let end = find(rest, &self.delimiter);
                    // The delimiter may have arrived in part.
                    let sure = end.unwrap_or(rest.len().saturating_sub(self.delimiter.len() - 1));
                    if self.state == State::Content && sure > 0 {
                        on_event(Event::Data(&rest[..sure]))?;
                    }
                    rest = &rest[sure..];
                    if end.is_none() {
                        break;
                    }
                    rest = &rest[self.delimiter.len()..];
                    self.state = State::AfterDelimiter;
                }
                State::AfterDelimiter => match rest {
                    [b' ' | b'\t', after @ ..] => rest = after,
                    [b'-', b'-', ..] => {
                        self.state = State::Epilogue;
                        return Ok(());
                    }
                    [b'\r', b'\n', ..] => self.state = State::Head,
                    [] | [b'-' | b'\r'] => break,
                    _ => return Err(Malformed.into()),
                },
                State::Head => {
                    // The header includes the line break after the delimiter, so that an empty one ends like any other.
                    let Some(end) = find(rest, b"\r\n\r\n") else {
                        if rest.len() > HEAD_BYTES_MAX {
                            return Err(Malformed.into());
                        }
                        break;
                    };
                    if end > HEAD_BYTES_MAX {
                        return Err(Malformed.into());
                    }
                    on_event(Event::Part(part_head(&rest[..end])))?;
                    rest = &rest[end + 4..];
                    self.state = State::Content;
                }
                State::Epilogue => return Ok(()),
            }
        }
        self.kept = rest.to_vec();
        Ok(())
    }
}

/// Finds `wanted`, which starts with CR.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| *byte == b'\r')?;
        if bytes[at..].starts_with(wanted) {
            return Some(at);
        }
        at += 1;
    }
}

fn part_head(bytes: &[u8]) -> PartHead {
    let text = String::from_utf8_lossy(bytes);
    let fields = text.split("\r\n").filter_map(|line| line.split_once(':'));
    let mut dispositions = fields.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"));
    let Some((_, disposition)) = dispositions.next() else {
        return PartHead::default();
    };
    let (kind, parameters) = disposition.split_once(';').unwrap_or((disposition, ""));
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return PartHead::default();
    }
    let is_file = parameter(parameters, "filename").or_else(|| parameter(parameters, "filename*")).is_some();
    PartHead { name: parameter(parameters, "name"), kind: if is_file { PartKind::File } else { PartKind::Text } }
}

/// Returns the value of a parameter, `name=token` or `name="quoted"`.
fn parameter(mut text: &str, wanted: &str) -> Option<String> {
    loop {
        let (name, after) = text.split_once('=')?;
        let name = name.trim_matches([' ', '\t', ';']);
        let after = after.trim_start_matches([' ', '\t']);
        let (value, rest) = if let Some(quoted) = after.strip_prefix('"') {
            unquote(quoted)?
        } else {
            let (token, rest) = after.split_once(';').unwrap_or((after, ""));
            (token.trim().to_owned(), rest)
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        text = rest;
    }
}

/// Returns the unquoted text, and what follows it.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &quoted[at + 1..])),
            // Only these are escaped; any other backslash is literal, as in a Windows path.
            '\\' if quoted[at + 1..].starts_with(['"', '\\']) => value.extend(characters.next().map(|(_, next)| next)),
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts = Vec<(PartHead, Vec<u8>)>;

    fn read(body: &[u8], sizes: usize) -> Result<(Parts, bool), Malformed> {
        let mut multipart = Multipart::of_type("multipart/form-data; boundary=\"b-1\"").unwrap()?;
        let mut parts: Parts = Vec::new();
        for piece in body.chunks(sizes) {
            multipart.push(piece, |event| {
                match event {
                    Event::Part(head) => parts.push((head, Vec::new())),
                    Event::Data(data) => parts.last_mut().unwrap().1.extend_from_slice(data),
                }
                Ok::<(), Malformed>(())
            })?;
        }
        Ok((parts, multipart.is_finished()))
    }

    fn part(name: Option<&str>, kind: PartKind, content: &[u8]) -> (PartHead, Vec<u8>) {
        (PartHead { name: name.map(str::to_owned), kind }, content.to_vec())
    }

    #[test]
    fn a_body_is_taken_apart_alike_however_it_is_cut() {
        let body = b"preamble\r\n--b-1\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\na\r\n--b-\r\nb\
            \r\n--b-1 \t\r\nX: y\r\n\
            content-disposition:form-data;filename=\"a;\\\"; name=x; M\xfc%ff.jpg\"; name=file\r\n\r\n\x00\r\r\n\
            \r\n--b-1\r\nContent-Disposition: form-data; name=\"empty\"; filename*=UTF-8''x\r\n\r\n\
            \r\n--b-1\r\n\r\nno head\r\n--b-1--\r\nepilogue \r\n--b-1\r\n";
        let expected = vec![
            part(Some("note"), PartKind::Text, b"a\r\n--b-\r\nb"),
            part(Some("file"), PartKind::File, b"\x00\r\r\n"),
            part(Some("empty"), PartKind::File, b""),
            part(None, PartKind::Text, b"no head"),
        ];
        for sizes in 1..=body.len() {
            assert_eq!(read(body, sizes).unwrap(), (expected.clone(), true), "in pieces of {sizes}");
        }
    }

    #[test]
    fn what_is_no_multipart_body_is_refused_or_unfinished() {
        assert!(Multipart::of_type("application/json").is_none());
        assert!(Multipart::of_type("multipart/form-data").unwrap().is_err());
        let long = format!("multipart/form-data; boundary={}", "b".repeat(71));
        assert!(Multipart::of_type(&long).unwrap().is_err());
        assert_eq!(read(b"--b-1x", 99), Err(Malformed));
        assert_eq!(read(b"", 1), Ok((vec![], false)));
        assert_eq!(read(b"nothing", 1), Ok((vec![], false)));
        let head = format!("--b-1\r\nX: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
        assert_eq!(read(head.as_bytes(), 100), Err(Malformed));
        assert_eq!(read(head.as_bytes(), 100_000), Err(Malformed));
        assert!(!read(b"--b-1\r\n\r\ncut off", 3).unwrap().1);
    }
}
