//! How mail is sent: the sender, the site's name, the templates and the way that mails go.

use crate::model::EmailAddress;
use crate::templates::Templates;
use crate::transport::{HeaderText, MailTransport, Sender, SmtpPolicy};

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
