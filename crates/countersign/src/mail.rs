//! What mail is: which messages the accounts send, how they look, and the ways they go.

mod error;
mod hello;
mod mailbox;
mod mailer;
mod message;
mod outgoing;
mod smtp;

use std::pin::Pin;
use std::sync::Arc;

pub use error::{MailSetting, SendMailError};
pub use hello::{HelloName, InvalidHelloName};
pub use mailbox::Mailbox;
pub use mailer::{Mailer, check_templates};
pub use message::{Message, Recipient};
pub use outgoing::{HeaderText, OutgoingMail, Sender};
pub use smtp::{InvalidCertificate, RootCertificates, Smtp, SmtpLogin, SmtpPolicy, SmtpTls, SmtpTrial};

use crate::model::EmailAddress;
use crate::templates::Templates;

/// What a host chooses about mail.
pub struct MailPolicy {
    /// What stands in `From`.
    pub from: Sender,
    /// What the site calls itself in mails.
    pub site_name: HeaderText,
    /// What mails are put together from.
    pub templates: Templates,
    /// The way they go.
    pub transport: MailTransport,
}

impl Default for MailPolicy {
    /// From `noreply@example.com`, by a mail server on this machine.
    fn default() -> Self {
        let address = EmailAddress::parse("noreply@example.com").expect("an address");
        Self {
            from: Sender { name: None, address },
            site_name: HeaderText::new("Countersign"),
            templates: Templates::default(),
            transport: MailTransport::Smtp(SmtpPolicy::default()),
        }
    }
}

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
    /// Hands a mail over to whoever delivers it, within a bounded time. It may be handed over more than once, then with the
    /// same message id.
    fn send(&self, mail: OutgoingMail) -> Sending<'_>;
}

/// What [`SendMail::send`] returns: an `async` block in a box.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), SendMailError>> + Send + 'a>>;
