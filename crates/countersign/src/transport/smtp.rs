//! Delivery to a mail server (RFC 5321): the policy, and connections that are kept for the next mail.

mod conversation;
mod hello;
mod message;
mod refusal;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use secrecy::SecretString;

pub use self::hello::{HelloName, InvalidHelloName};

use self::conversation::Conversation;
use super::{OutgoingMail, SendMail, SendMailError, Sending};
use crate::model::EmailAddress;

/// Where a mail server is, and how to connect to it.
#[derive(Clone)]
#[non_exhaustive]
pub struct SmtpPolicy {
    /// The host name, which the certificate must match, or the IP address.
    pub server: String,
    /// The port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: SmtpTls,
    /// Certificates that are trusted in addition to Mozilla's.
    pub roots: Option<RootCertificates>,
    /// The login, if the server requires one.
    pub login: Option<SmtpLogin>,
    /// The name in the greeting. Defaults to the site's host if that is a full name, and to the local address of the
    /// connection otherwise.
    pub hello_name: Option<HelloName>,
    /// Maximum duration of a delivery, from connecting to the server's last reply.
    pub time_max: Duration,
}

impl Default for SmtpPolicy {
    /// `localhost`, port 587, STARTTLS, no login, greeted by the site's name, 30 seconds.
    fn default() -> Self {
        Self {
            server: "localhost".to_owned(),
            port: 587,
            tls: SmtpTls::StartTls,
            roots: None,
            login: None,
            hello_name: None,
            time_max: Duration::from_secs(30),
        }
    }
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SmtpTls {
    /// Starts unencrypted and must then upgrade to TLS (RFC 3207).
    StartTls,
    /// TLS from the first byte on (RFC 8314, section 3.3).
    Implicit,
    /// No encryption, for a server on this machine.
    Off,
}

/// The login at a mail server.
#[derive(Clone)]
#[non_exhaustive]
pub struct SmtpLogin {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

impl SmtpLogin {
    /// A login with this name and password.
    pub fn new(username: impl Into<String>, password: SecretString) -> Self {
        Self { username: username.into(), password }
    }
}

/// Parsed root certificates.
#[derive(Clone)]
pub struct RootCertificates(Certificate);

/// The text contains no certificates in PEM (RFC 7468, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected certificates in PEM")]
pub struct InvalidCertificate;

impl RootCertificates {
    /// Parses one or more certificates.
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

/// Maximum number of idle connections.
const KEPT_MAX: usize = 4;
/// How long an idle connection is kept: servers close them after some minutes (RFC 5321, section 4.5.3.2).
const KEPT_FOR: Duration = Duration::from_mins(1);

/// A mail server. It connects for the first mail.
pub struct Smtp {
    policy: SmtpPolicy,
    tls: TlsParameters,
    /// From the policy or the site; otherwise it depends on the route to the server.
    hello_name: Option<HelloName>,
    kept: Arc<Mutex<Vec<Kept>>>,
}

struct Kept {
    connection: AsyncSmtpConnection,
    since: Instant,
}

/// The result of a trial conversation with a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SmtpTrial {
    /// Whether the server accepts addresses with a local part that is not ASCII (RFC 6531).
    pub takes_utf8: bool,
    /// Why the server refuses mail to the sender's own address, if it does.
    pub recipient_refusal: Option<SendMailError>,
}

impl Smtp {
    /// Creates a client of the policy's server, for the site at `site_url`, which is scheme and host.
    ///
    /// # Panics
    /// Never: the certificates were checked when they were parsed.
    pub fn new(policy: SmtpPolicy, site_url: &str) -> Self {
        let mut tls = TlsParameters::builder(policy.server.clone());
        if let Some(RootCertificates(certificate)) = &policy.roots {
            tls = tls.add_root_certificate(certificate.clone());
        }
        let tls = tls.build().expect("the certificates were tried when they were read");
        let hello_name = policy.hello_name.clone().or_else(|| HelloName::of_site(site_url));
        Self { policy, tls, hello_name, kept: Arc::default() }
    }

    /// Tries a conversation up to the recipient, for a mail from `sender` to itself, and sends nothing.
    ///
    /// # Errors
    /// What the server refuses before the recipient.
    pub async fn check(&self, sender: &EmailAddress) -> Result<SmtpTrial, SendMailError> {
        let mut conversation = Conversation::begin(self).await?;
        let trial = conversation.try_out(sender).await;
        conversation.leave().await;
        trial
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

    /// A connection is kept only after a successful delivery. If a mail is abandoned, its connection is dropped, so
    /// that a late reply is never taken for the reply to another mail.
    async fn deliver(&self, mail: &OutgoingMail) -> Result<(), SendMailError> {
        let mut conversation = Conversation::resume(self).await?;
        match conversation.deliver(mail).await {
            Ok(()) => {
                self.keep(conversation.into_connection());
                Ok(())
            }
            Err(error) => {
                conversation.leave().await;
                Err(error)
            }
        }
    }
}

impl SendMail for Smtp {
    fn send(&self, mail: OutgoingMail) -> Sending<'_> {
        Box::pin(async move { self.deliver(&mail).await })
    }
}
