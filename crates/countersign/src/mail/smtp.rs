//! Decides how a mail is handed to a mail server (RFC 5321): encrypted, logged in, over kept connections, and in time.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::timeout;

use super::{OutgoingMail, SendMail, SendMailError, Sending};

/// Where a mail server is, and how it is spoken to.
#[derive(Clone)]
pub struct SmtpPolicy {
    /// Its name, which its certificate has to be for, or its IP address.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// Certificates that are trusted beside Mozilla's.
    pub roots: Option<RootCertificates>,
    /// Who logs in, if anybody.
    pub login: Option<SmtpLogin>,
    /// How long a mail may take in all, from connecting to the server's last word.
    pub time_max: Duration,
}

impl Default for SmtpPolicy {
    /// `localhost`, port 587, STARTTLS, nobody logs in, 30 seconds.
    fn default() -> Self {
        Self {
            server: "localhost".to_owned(),
            port: 587,
            tls: SmtpTls::StartTls,
            roots: None,
            login: None,
            time_max: Duration::from_secs(30),
        }
    }
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// It begins in the clear and must then change to TLS (RFC 3207).
    StartTls,
    /// From the first byte on (RFC 8314, section 3.3).
    Implicit,
    /// Not at all: for a server on this machine.
    Off,
}

/// Who logs in to a mail server.
#[derive(Clone)]
pub struct SmtpLogin {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// Certificates that are known to be some.
#[derive(Clone)]
pub struct RootCertificates(Certificate);

/// The text has no certificates in PEM (RFC 7468, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("accepted are certificates in PEM")]
pub struct InvalidCertificate;

impl RootCertificates {
    /// Reads one or more certificates.
    pub fn from_pem(pem: &[u8]) -> Result<Self, InvalidCertificate> {
        if !String::from_utf8_lossy(pem).contains("-----BEGIN CERTIFICATE-----") {
            return Err(InvalidCertificate);
        }
        let certificate = Certificate::from_pem(pem).map_err(|_| InvalidCertificate)?;
        let trial = TlsParameters::builder("localhost".to_owned()).add_root_certificate(certificate.clone());
        trial.build().map_err(|_| InvalidCertificate)?;
        Ok(Self(certificate))
    }
}

/// Connections that wait for the next mail, at the most.
const KEPT_MAX: usize = 4;
/// How long they do: servers close them after some minutes (RFC 5321, section 4.5.3.2).
const KEPT_FOR: Duration = Duration::from_mins(1);

/// A mail server. Nothing is connected before the first mail.
pub struct Smtp {
    policy: SmtpPolicy,
    tls: TlsParameters,
    hello: ClientId,
    kept: Arc<Mutex<Vec<Kept>>>,
}

struct Kept {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl Smtp {
    /// The server that the policy names.
    ///
    /// # Panics
    /// Never: its certificates were tried when they were read.
    pub fn new(policy: SmtpPolicy) -> Self {
        let mut tls = TlsParameters::builder(policy.server.clone());
        if let Some(RootCertificates(certificate)) = &policy.roots {
            tls = tls.add_root_certificate(certificate.clone());
        }
        let tls = tls.build().expect("the certificates were tried when they were read");
        Self { policy, tls, hello: ClientId::default(), kept: Arc::default() }
    }

    /// Connects, encrypts and logs in, and sends nothing.
    pub async fn check(&self) -> Result<(), SendMailError> {
        let mut connection = self.in_time(self.connect()).await?;
        // The answer to a goodbye is of no interest.
        let _ = timeout(self.policy.time_max, connection.quit()).await;
        Ok(())
    }

    /// A kept connection that still answers, or a new one.
    ///
    /// It is taken out, and put back only after a mail went well: a mail that is given up half-way takes it along, so that
    /// the server's late answer is never taken for the answer to another mail.
    async fn connection(&self) -> Result<AsyncSmtpConnection, SendMailError> {
        while let Some(mut connection) = self.take() {
            if connection.test_connected().await {
                return Ok(connection);
            }
        }
        self.connect().await
    }

    fn take(&self) -> Option<AsyncSmtpConnection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| kept.since.elapsed() < KEPT_FOR);
        kept.pop().map(|kept| kept.connection)
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT_MAX {
            kept.push(Kept { connection, since: Instant::now() });
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SendMailError> {
        let SmtpPolicy { server, port, tls, login, .. } = &self.policy;
        let failed = |step: &str, error: &Error| {
            SendMailError::Temporary(format!("{server}:{port}: {step}: {}", without_addresses(&chain(error))))
        };
        let implicit = (*tls == SmtpTls::Implicit).then(|| self.tls.clone());
        // lettre takes an address in brackets for a name.
        let host = server.trim_start_matches('[').trim_end_matches(']');
        let limit = Some(self.policy.time_max);
        let mut connection = match host.parse::<IpAddr>() {
            Ok(ip) => AsyncSmtpConnection::connect_tokio1((ip, *port), limit, &self.hello, implicit, None).await,
            Err(_) => AsyncSmtpConnection::connect_tokio1((host, *port), limit, &self.hello, implicit, None).await,
        }
        .map_err(|error| failed("connecting", &error))?;
        if *tls == SmtpTls::StartTls {
            let upgraded = connection.starttls(self.tls.clone(), &self.hello).await;
            upgraded.map_err(|error| failed("STARTTLS", &error))?;
        }
        if let Some(login) = login {
            let credentials = Credentials::new(login.username.clone(), login.password.expose_secret().to_owned());
            let logged_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            logged_in.map_err(|error| failed("logging in", &error))?;
        }
        Ok(connection)
    }

    async fn deliver(&self, mail: &OutgoingMail) -> Result<(), SendMailError> {
        let message = mail.message();
        let mut connection = self.connection().await?;
        match connection.send(message.envelope(), &message.formatted()).await {
            Ok(_) => {
                self.keep(connection);
                Ok(())
            }
            Err(error) => Err(refusal(&error)),
        }
    }

    async fn in_time<T>(&self, work: impl Future<Output = Result<T, SendMailError>>) -> Result<T, SendMailError> {
        let SmtpPolicy { server, port, time_max, .. } = &self.policy;
        timeout(*time_max, work).await.unwrap_or_else(|_| {
            Err(SendMailError::Temporary(format!("{server}:{port}: no answer within {} s", time_max.as_secs_f32())))
        })
    }
}

impl SendMail for Smtp {
    fn send(&self, mail: OutgoingMail) -> Sending<'_> {
        Box::pin(async move { self.in_time(self.deliver(&mail)).await })
    }
}

/// Why a server did not take a mail. What it says about a missing login or encryption (RFC 4954, section 6) is about our
/// settings, which can be put right before the mail is tried again.
fn refusal(error: &Error) -> SendMailError {
    const SETTINGS: [u16; 5] = [502, 503, 530, 534, 538];
    let text = without_addresses(&chain(error));
    let ours = error.status().is_some_and(|status| SETTINGS.contains(&u16::from(status)));
    if (error.is_permanent() && !ours) || error.is_client() {
        SendMailError::Permanent(text)
    } else {
        SendMailError::Temporary(text)
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// Servers repeat addresses in what they say, and logs must not have them.
fn without_addresses(text: &str) -> String {
    let words: Vec<&str> =
        text.split_whitespace().map(|word| if word.contains('@') { "(address)" } else { word }).collect();
    words.join(" ")
}
