//! The messages of the accounts, and their rendering as mails.

mod mailer;
mod message;

pub use mailer::{Mailer, check_templates, without_links};
pub use message::{Message, Recipient};

pub use crate::transport::{
    HeaderText, HelloName, InvalidCertificate, InvalidHelloName, MailSetting, MailTransport, Mailbox, OutgoingMail,
    RootCertificates, SendMail, SendMailError, Sender, Sending, Smtp, SmtpLogin, SmtpPolicy, SmtpTls, SmtpTrial,
};
