//! Mail: its sender, the site's name, the templates and the transport.

use crate::model::EmailAddress;
use crate::templates::Templates;
use crate::transport::{HeaderText, MailTransport, Sender};

/// What a host configures about mail.
#[non_exhaustive]
pub struct MailPolicy {
    /// The `From` header.
    pub from: Sender,
    /// The site's name in mails.
    pub site_name: HeaderText,
    /// The templates of mails and pages.
    pub templates: Templates,
    /// How mails are sent.
    pub transport: MailTransport,
}

impl Default for MailPolicy {
    /// From `noreply@example.com`, through a mail server on this machine; without the feature `smtp`, every mail is refused until
    /// a transport is set.
    fn default() -> Self {
        let address = EmailAddress::parse("noreply@example.com").expect("an address");
        Self {
            from: Sender { name: None, address },
            site_name: HeaderText::new("Countersign"),
            templates: Templates::default(),
            #[cfg(feature = "smtp")]
            transport: MailTransport::Smtp(crate::transport::SmtpPolicy::default()),
            #[cfg(not(feature = "smtp"))]
            transport: MailTransport::Custom(std::sync::Arc::new(crate::transport::NoTransport)),
        }
    }
}
