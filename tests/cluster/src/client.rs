//! An HTTP client that keeps its connection like a browser, with TLS through nginx or without.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::broken::Outcome;
use crate::nginx::SITE;

/// Response timeout, longer than nginx waits for an instance.
const ANSWER_MAX: Duration = Duration::from_mins(1);

/// The destination of requests.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    tls: Option<TlsConnector>,
}

impl Target {
    /// An instance, without nginx.
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    /// A server with this certificate.
    pub(crate) fn with_tls(address: SocketAddr, certificate: &Path) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate)?)?;
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        Ok(Self { address, tls: Some(TlsConnector::from(Arc::new(config))) })
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A client with one connection at a time.
pub(crate) struct Client {
    target: Target,
    stream: Option<Box<dyn Stream>>,
}

/// A response.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON, or null.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A request body and its content type.
pub(crate) struct Content {
    media_type: &'static str,
    bytes: Vec<u8>,
}

impl Content {
    pub(crate) fn none() -> Self {
        Self { media_type: "text/plain", bytes: Vec::new() }
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self { media_type: "application/json", bytes: body.to_string().into_bytes() }
    }

    pub(crate) fn form(body: String) -> Self {
        Self { media_type: "application/x-www-form-urlencoded", bytes: body.into_bytes() }
    }

    pub(crate) fn picture(file: &[u8]) -> Self {
        let head = b"--frontier\r\nContent-Disposition: form-data; name=\"file\"; filename=\"me.png\"\r\n\r\n";
        let bytes = [head.as_slice(), file, b"\r\n--frontier--\r\n"].concat();
        Self { media_type: "multipart/form-data; boundary=frontier", bytes }
    }

    /// The bytes of a whole request, with additional header lines.
    pub(crate) fn request(&self, what: &str, lines: &str) -> Vec<u8> {
        let Self { media_type, bytes } = self;
        let length = bytes.len();
        let head = format!(
            "{what} HTTP/1.1\r\nHost: {SITE}\r\n{lines}Content-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n"
        );
        [head.as_bytes(), bytes].concat()
    }
}

impl Client {
    pub(crate) fn new(target: &Target) -> Self {
        Self { target: target.clone(), stream: None }
    }

    /// Sends a request and waits for its response. Never retries.
    pub(crate) async fn ask(&mut self, what: &str, token: &str, content: &Content) -> io::Result<Answer> {
        let answer = timeout(ANSWER_MAX, self.exchange(what, token, content)).await;
        let answer = answer.map_err(|_| io::Error::from(io::ErrorKind::TimedOut)).flatten();
        if answer.as_ref().map_or(true, |answer| answer.head.contains("\r\nconnection: close")) {
            self.stream = None;
        }
        answer
    }

    async fn exchange(&mut self, what: &str, token: &str, content: &Content) -> io::Result<Answer> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.target).await?,
        };
        let stream = self.stream.insert(stream);
        let authorization = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        stream.write_all(&content.request(what, &authorization)).await?;
        stream.flush().await?;
        read(stream).await
    }
}

async fn connect(target: &Target) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    match &target.tls {
        None => Ok(Box::new(stream)),
        Some(tls) => {
            let name = ServerName::try_from(SITE).map_err(io::Error::other)?;
            Ok(Box::new(tls.connect(name, stream).await?))
        }
    }
}

async fn read(stream: &mut Box<dyn Stream>) -> io::Result<Answer> {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
        let body = &buffer[end + 4..];
        let length = header(&head, "content-length").and_then(|length| length.parse::<usize>().ok());
        let is_chunked = header(&head, "transfer-encoding") == Some("chunked");
        let is_whole = match length {
            Some(length) => body.len() >= length,
            None => !is_chunked || body.ends_with(b"0\r\n\r\n"),
        };
        if !is_whole {
            continue;
        }
        let status = head.get(9..12).and_then(|digits| digits.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let body = if is_chunked { joined(body) } else { body.to_vec() };
        return Ok(Answer { status, head, body });
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Decodes a chunked body (RFC 9112, section 7.1).
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|bytes| bytes == b"\r\n") {
        let size = std::str::from_utf8(&chunks[..end]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(chunk) = size.and_then(|size| chunks.get(end + 2..end + 2 + size)) else { break };
        if chunk.is_empty() {
            break;
        }
        body.extend_from_slice(chunk);
        chunks = chunks.get(end + 4 + chunk.len()..).unwrap_or_default();
    }
    body
}
