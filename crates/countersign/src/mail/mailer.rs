//! Rendering of messages as mails, and handing them to the transport.

use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::{Message, Recipient};
use crate::catalogue::Argument;
use crate::config::MailPolicy;
use crate::model::{EmailAddress, Language};
use crate::templates::{InvalidTemplates, TemplateError, Templates, context};
use crate::transport::{HeaderText, MailTransport, Mailbox, OutgoingMail, SendMail, SendMailError, Sender, host_of};

/// Renders messages and sends them.
pub struct Mailer {
    from: Sender,
    site_name: HeaderText,
    site_url: String,
    templates: Templates,
    transport: Arc<dyn SendMail>,
    mailbox: Option<Mailbox>,
}

impl Mailer {
    /// Creates a mailer for the site at `site_url`, which is scheme and host.
    pub fn new(policy: &MailPolicy, site_url: &str) -> Self {
        let mut captured = None;
        let transport: Arc<dyn SendMail> = match &policy.transport {
            #[cfg(feature = "smtp")]
            MailTransport::Smtp(smtp) => Arc::new(crate::transport::Smtp::new(smtp.clone(), site_url)),
            MailTransport::Capture => Arc::new(captured.insert(Mailbox::default()).clone()),
            MailTransport::Custom(transport) => Arc::clone(transport),
        };
        Self {
            from: policy.from.clone(),
            site_name: policy.site_name.clone(),
            site_url: site_url.to_owned(),
            templates: policy.templates.clone(),
            transport,
            mailbox: captured,
        }
    }

    /// Returns the captured mails, or `None` if mails are sent.
    pub fn mailbox(&self) -> Option<&Mailbox> {
        self.mailbox.as_ref()
    }

    /// Renders a message and sends it. The same `id` yields the same `Message-ID`.
    pub async fn send(&self, to: &Recipient, message: &Message, id: Uuid, now: Timestamp) -> Result<(), SendMailError> {
        // The templates were checked at startup, so a retry does not help.
        let mail = self.render(to, message, id, now).map_err(|error| SendMailError::Mail(error.to_string()))?;
        self.transport.send(mail).await
    }

    /// Renders a message.
    pub fn render(
        &self,
        to: &Recipient,
        message: &Message,
        id: Uuid,
        now: Timestamp,
    ) -> Result<OutgoingMail, TemplateError> {
        let language = self.templates.closest(&to.language);
        let catalogue = self.templates.catalogue();
        let name = message.name();
        let refuse =
            |error: &dyn std::error::Error| TemplateError { place: format!("mail/{name}"), reason: error.to_string() };
        let site = self.site_name.as_str();
        let subject_key = format!("mail-{}-subject", name.replace('_', "-"));
        let subject = catalogue.text(language, &subject_key, &[("site", Argument::Text(site))]);
        let subject = HeaderText::new(&subject.map_err(|error| refuse(&error))?);
        let context = context! {
            site_name => site,
            site_url => self.site_url.as_str(),
            subject => subject.as_str(),
            username => HeaderText::new(&to.username).as_str(),
            ..message.context(catalogue, language).map_err(|error| refuse(&error))?
        };
        let part = |ending: &str| self.templates.render(&format!("mail/{name}.{ending}"), language, context.clone());
        let (text, html) = (part("txt")?, part("html")?);
        let (from, to) = (self.from.clone(), to.address.clone());
        Ok(OutgoingMail { id, host: host_of(&self.site_url).to_owned(), date: now, from, to, subject, text, html })
    }
}

/// Removes from a username the characters by which mail programs would make it a link. A client that registers with a
/// stranger's address must not send the stranger to another site.
pub fn without_links(username: &str) -> String {
    let is_link = username.contains('/') || {
        let characters: Vec<char> = username.chars().collect();
        characters
            .windows(3)
            .any(|around| around[1] == '.' && around[0].is_alphanumeric() && around[2].is_alphanumeric())
    };
    if is_link { username.replace(['.', '/', ':'], " ") } else { username.to_owned() }
}

/// Renders every message in every language, so that an invalid template is found at startup.
///
/// # Errors
/// All problems, each with the template's name and the line.
///
/// # Panics
/// Never: the address in it is valid.
pub fn check_templates(templates: &Templates) -> Result<(), InvalidTemplates> {
    const URL: &str = "https://example.com";
    let policy =
        MailPolicy { templates: templates.clone(), transport: MailTransport::Capture, ..MailPolicy::default() };
    let mailer = Mailer::new(&policy, URL);
    let mut problems: Vec<String> = Vec::new();
    let languages: Vec<Language> = templates.catalogue().languages().to_vec();
    for language in languages {
        let address = EmailAddress::parse("ada@example.com").expect("an address");
        let to = Recipient { address, username: "Ada".to_owned(), language };
        for message in Message::samples(URL) {
            if let Err(error) = mailer.render(&to, &message, Uuid::nil(), Timestamp::UNIX_EPOCH) {
                problems.push(error.to_string());
            }
        }
    }
    problems.sort();
    problems.dedup();
    if problems.is_empty() { Ok(()) } else { Err(InvalidTemplates(problems)) }
}
