//! How a finished mail leaves: what it consists of, and the ways it can go. It is apart from the messages, so that the
//! configuration can name a way without knowing what the accounts write.

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

/// The way mails go.
#[derive(Clone)]
pub enum MailTransport {
    /// To a mail server.
    Smtp(SmtpPolicy),
    /// Nowhere: the newest are kept in memory, to be looked at.
    Capture,
    /// A way of the host's own.
    Custom(Arc<dyn SendMail>),
}

/// A way that mails go.
pub trait SendMail: Send + Sync + 'static {
    /// Hands a mail over for delivery, within a bounded time. It may be handed over more than once, then with the
    /// same message id.
    fn send(&self, mail: OutgoingMail) -> Sending<'_>;
}

/// What [`SendMail::send`] returns: an `async` block in a box.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), SendMailError>> + Send + 'a>>;
