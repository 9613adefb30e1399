//! The `health` command, which checks a running server. For supervisors that can only run a program and read its exit
//! code.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Failure, Finding, say, settings_for};
use crate::Host;
use crate::settings::{Purpose, ShellSettings};
use crate::tls::provider;

/// Maximum duration of the whole check.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of the response that are read; the status is in its first line.
const ANSWER_BYTES_MAX: u64 = 16 * 1024;

pub(super) fn parse_url(text: &str) -> Result<Uri, &'static str> {
    const ACCEPTED: &str = "expected a URL such as http://127.0.0.1:8000";
    let uri: Uri = text.parse().map_err(|_| ACCEPTED)?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if is_http && uri.host().is_some_and(|host| !host.is_empty()) { Ok(uri) } else { Err(ACCEPTED) }
}

/// Sends one request and reports its status.
pub(super) async fn ask<H: Host>(url: Option<Uri>) -> Result<Finding, Failure> {
    let url = match url {
        Some(url) => url,
        None => own_url(&settings_for::<H>(Purpose::Inspect)?.shell)?,
    };
    let status = match timeout(TIME_MAX, status(&url)).await {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Err(Failure(format!("{url} does not answer: {error}"))),
        Err(_) => return Err(Failure(format!("{url} does not answer within {} seconds", TIME_MAX.as_secs()))),
    };
    say(format_args!("{url} answers {status}"));
    Ok(if status == "200" { Finding::InOrder } else { Finding::NotInOrder })
}

/// Returns the URL of the server that these settings would start on this machine.
fn own_url(shell: &ShellSettings) -> Result<Uri, Failure> {
    if shell.port == 0 {
        return Err(Failure(
            "PORT is 0, so the system chose one; pass the URL: `health http://127.0.0.1:…`".to_owned(),
        ));
    }
    Ok(Uri::try_from(format!("{}/health", shell.local_url(shell.port)))?)
}

/// Returns the status code of the response, as text.
async fn status(url: &Uri) -> io::Result<String> {
    let is_tls = url.scheme_str() == Some("https");
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let socket = TcpStream::connect((host, url.port_u16().unwrap_or(if is_tls { 443 } else { 80 }))).await?;
    if is_tls {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        exchange(url, connector()?.connect(name, socket).await?).await
    } else {
        exchange(url, socket).await
    }
}

async fn exchange(url: &Uri, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    let path = match url.path() {
        "/" | "" => "/health",
        path => path,
    };
    let host = url.authority().map_or("", |authority| authority.as_str());
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    let head = String::from_utf8_lossy(&answer);
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = status.filter(|status| status.bytes().all(|byte| byte.is_ascii_digit()));
    status.map(str::to_owned).ok_or_else(|| io::Error::other("the response is not HTTP"))
}

fn connector() -> io::Result<TlsConnector> {
    let provider = provider();
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Accepts every certificate. A local server is reached by an address that its certificate does not name, the request
/// contains no secrets, and the response matters only to the caller.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
