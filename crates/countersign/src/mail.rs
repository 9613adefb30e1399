//! The messages of the accounts, and their rendering as mails.

mod mailer;
mod message;

pub use mailer::{Mailer, check_templates, without_links};
pub use message::{Message, Recipient};

pub use crate::transport::{
    HeaderText, MailSetting, MailTransport, Mailbox, OutgoingMail, SendMail, SendMailError, Sender, Sending,
};
#[cfg(feature = "smtp")]
pub use crate::transport::{
    HelloName, InvalidCertificate, InvalidHelloName, RootCertificates, Smtp, SmtpLogin, SmtpPolicy, SmtpTls, SmtpTrial,
};
