//! How a mail is handed to a mail server (RFC 5321): by which policy, over connections that are kept for the next one.

mod conversation;
mod refusal;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use secrecy::SecretString;

use self::conversation::Conversation;
use super::hello::HelloName;
use super::{OutgoingMail, SendMail, SendMailError, Sending};
use crate::model::EmailAddress;

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
    /// The name that it is greeted with. Without one it is the site's host, if that is a full name, or else the address that
    /// this machine speaks from.
    pub hello_name: Option<HelloName>,
    /// How long a mail may take in all, from connecting to the server's last word.
    pub time_max: Duration,
}

impl Default for SmtpPolicy {
    /// `localhost`, port 587, STARTTLS, nobody logs in, greeted by the site's name, 30 seconds.
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
    /// By the policy, or the site's; otherwise it depends on the way to the server.
    hello_name: Option<HelloName>,
    kept: Arc<Mutex<Vec<Kept>>>,
}

struct Kept {
    connection: AsyncSmtpConnection,
    since: Instant,
}

/// What a server that was tried answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SmtpTrial {
    /// Whether it takes addresses that are not ASCII before the `@` (RFC 6531).
    pub takes_utf8: bool,
    /// Why it does not take mail for the sender's own address, if it does not.
    pub recipient_refusal: Option<SendMailError>,
}

impl Smtp {
    /// The server that the policy names, for the site at `site_url`, which is scheme and host.
    ///
    /// # Panics
    /// Never: its certificates were tried when they were read.
    pub fn new(policy: SmtpPolicy, site_url: &str) -> Self {
        let mut tls = TlsParameters::builder(policy.server.clone());
        if let Some(RootCertificates(certificate)) = &policy.roots {
            tls = tls.add_root_certificate(certificate.clone());
        }
        let tls = tls.build().expect("the certificates were tried when they were read");
        let hello_name = policy.hello_name.clone().or_else(|| HelloName::of_site(site_url));
        Self { policy, tls, hello_name, kept: Arc::default() }
    }

    /// Plays a conversation as far as a mail from `sender` to itself would be taken, and sends nothing.
    ///
    /// # Errors
    /// What the server refuses before it comes to the recipient.
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

    /// A connection is put back only after a mail went well: a mail that is given up half-way takes it along, so that the
    /// server's late answer is never taken for the answer to another mail.
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
