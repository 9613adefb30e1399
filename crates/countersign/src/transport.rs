//! Mail transports: the finished mail, and the ways to send it. They are separate from the messages, so that the
//! configuration can name a transport without knowing what the accounts write.

mod error;
mod hello;
mod mailbox;
mod outgoing;
mod smtp;

use std::pin::Pin;
use std::sync::Arc;

pub use error::{MailSetting, SendMailError};
pub(crate) use hello::host_of;
pub use hello::{HelloName, InvalidHelloName};
pub use mailbox::Mailbox;
pub use outgoing::{HeaderText, OutgoingMail, Sender};
pub use smtp::{InvalidCertificate, RootCertificates, Smtp, SmtpLogin, SmtpPolicy, SmtpTls, SmtpTrial};

/// How mails are sent.
#[derive(Clone)]
#[non_exhaustive]
pub enum MailTransport {
    /// To a mail server.
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
