//! Mail transports: the finished mail, and the ways to send it. They are separate from the messages, so that the
//! configuration can name a transport without knowing what the accounts write.

mod error;
mod mailbox;
mod outgoing;
#[cfg(feature = "smtp")]
mod smtp;

use std::pin::Pin;
use std::sync::Arc;

pub use error::{MailSetting, SendMailError};
pub use mailbox::Mailbox;
pub use outgoing::{HeaderText, OutgoingMail, Sender};
#[cfg(feature = "smtp")]
pub use smtp::{
    HelloName, InvalidCertificate, InvalidHelloName, RootCertificates, Smtp, SmtpLogin, SmtpPolicy, SmtpTls, SmtpTrial,
};

/// How mails are sent.
#[derive(Clone)]
#[non_exhaustive]
pub enum MailTransport {
    /// To a mail server.
    #[cfg(feature = "smtp")]
    Smtp(SmtpPolicy),
    /// Not at all: the newest are kept in memory for inspection.
    Capture,
    /// By a transport of the host.
    Custom(Arc<dyn SendMail>),
}

/// A mail transport.
pub trait SendMail: Send + Sync + 'static {
    /// Hands over a mail for delivery, within a bounded time. The same mail may be handed over more than once, with the
    /// same message id.
    fn send(&self, mail: OutgoingMail) -> Sending<'_>;
}

/// The return type of [`SendMail::send`]: a boxed `async` block.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), SendMailError>> + Send + 'a>>;

/// Refuses every mail: the transport of a build without `smtp` whose host has named none.
#[cfg(not(feature = "smtp"))]
pub(crate) struct NoTransport;

#[cfg(not(feature = "smtp"))]
impl SendMail for NoTransport {
    fn send(&self, _: OutgoingMail) -> Sending<'_> {
        let reason = "there is no way to send mails: set a transport in `Config::mail`, or enable the feature `smtp`";
        Box::pin(async move { Err(SendMailError::Server(reason.to_owned())) })
    }
}

/// Returns the host of a URL that consists of scheme, host and an optional port.
pub(crate) fn host_of(url: &str) -> &str {
    let (_, authority) = url.split_once("://").unwrap_or(("", url));
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        _ => authority,
    }
}
