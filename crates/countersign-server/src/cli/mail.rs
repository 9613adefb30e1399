//! The `mail` commands.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use countersign::clock::{Clock as _, SystemClock};
use countersign::mail::{MailTransport, Mailer, Message, OutgoingMail, Recipient};
use countersign::model::{EmailAddress, Language};
use countersign::operator::random_uuid_v7;

use super::{Failure, Finding, parse_address, parse_language, say, settings_for};
use crate::Host;
use crate::settings::{Purpose, Settings};

#[derive(Subcommand)]
#[expect(clippy::doc_markdown, reason = "help texts are shown as they are written")]
pub(super) enum MailCommand {
    /// Render every mail with sample content, and print it or write it to a folder
    ///
    /// Includes the changes of TEMPLATES_DIR. Prints subjects and texts in DEFAULT_LANGUAGE unless --language is given.
    Preview {
        /// Only this language, such as de
        #[arg(long, value_parser = parse_language)]
        language: Option<Language>,
        /// Write HTML and text in every language, and an index.html to open in a browser
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
    /// Send one mail through MAIL_SERVER and report the result
    Test {
        /// The recipient
        #[arg(value_parser = parse_address)]
        address: EmailAddress,
    },
}

pub(super) async fn mail<H: Host>(command: MailCommand) -> Result<Finding, Failure> {
    let settings = settings_for::<H>(Purpose::Inspect)?;
    match command {
        MailCommand::Preview { language, out } => preview(settings, language, out.as_deref()),
        MailCommand::Test { address } => test(&settings, address).await,
    }
}

fn preview<H: Host>(settings: Settings<H>, language: Option<Language>, out: Option<&Path>) -> Result<Finding, Failure> {
    let mut policy = settings.mail;
    policy.transport = MailTransport::Capture;
    let catalogue = policy.templates.catalogue();
    let languages: Vec<Language> = match (language, out) {
        (Some(language), _) if catalogue.languages().contains(&language) => vec![language],
        (Some(language), _) => {
            let known: Vec<String> = catalogue.languages().iter().map(ToString::to_string).collect();
            return Err(Failure(format!(
                "there are no texts in the language {language}; available: {}",
                known.join(", ")
            )));
        }
        (None, Some(_)) => catalogue.languages().to_vec(),
        (None, None) => vec![policy.templates.default_language().clone()],
    };
    let url = settings.shell.site_url(settings.shell.port).to_string();
    let mailer = Mailer::new(&policy, &url);
    let mut index = String::new();
    for language in &languages {
        let missing = catalogue.missing(language);
        if !missing.is_empty() {
            say(format_args!("{language}: {} texts are taken from English: {}\n", missing.len(), missing.join(", ")));
        }
        let to = sample_recipient(language.clone())?;
        let _ = write!(index, "<h2>{language}</h2>\n<ul>\n");
        for message in Message::samples(&url) {
            let now = SystemClock.now();
            let mail = mailer.render(&to, &message, random_uuid_v7(now), now)?;
            let name = message.name();
            match out {
                Some(folder) => {
                    write_files(&folder.join(language.to_string()), name, &mail)?;
                    let subject = escape(mail.subject.as_str());
                    let _ = writeln!(
                        index,
                        "<li><a href=\"{language}/{name}.html\">{subject}</a> (<a href=\"{language}/{name}.txt\">text</a>)</li>"
                    );
                }
                None => say(format_args!("== {name}\nSubject: {}\n\n{}\n", mail.subject.as_str(), mail.text)),
            }
        }
        index.push_str("</ul>\n");
    }
    if let Some(folder) = out {
        let page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Mails of {site}</title></head>\n\
             <body><h1>Mails of {site}</h1>\n{index}</body></html>\n",
            site = escape(policy.site_name.as_str())
        );
        let path = folder.join("index.html");
        fs::write(&path, page).map_err(|error| unwritable(&path, &error))?;
        say(format_args!("written; open {}", path.display()));
    }
    Ok(Finding::InOrder)
}

fn sample_recipient(language: Language) -> Result<Recipient, Failure> {
    Ok(Recipient::new(EmailAddress::parse("ada@example.org")?, "Ada Lovelace", language))
}

fn write_files(folder: &Path, name: &str, mail: &OutgoingMail) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    for (ending, text) in [("html", &mail.html), ("txt", &mail.text)] {
        let path = folder.join(format!("{name}.{ending}"));
        fs::write(&path, text).map_err(|error| unwritable(&path, &error))?;
    }
    Ok(())
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("{} cannot be written: {error}", path.display()))
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

async fn test<H: Host>(settings: &Settings<H>, address: EmailAddress) -> Result<Finding, Failure> {
    let smtp = settings.shell.mail.smtp_policy();
    let server = format!("{}:{}", smtp.server, smtp.port);
    let mailer = Mailer::new(&settings.mail, settings.shell.site_url(settings.shell.port).as_str());
    let language = settings.mail.templates.default_language().clone();
    let to = Recipient::new(address.clone(), address.as_str(), language);
    let now = SystemClock.now();
    let id = random_uuid_v7(now);
    match mailer.send(&to, &Message::Test { at: now }, id, now).await {
        Ok(()) => {
            say(format_args!(
                "{server} accepted the mail for {} from {}; check that mailbox and its spam folder",
                to.address.as_str(),
                settings.mail.from.address.as_str()
            ));
            Ok(Finding::InOrder)
        }
        Err(error) if error.is_for_good() => Err(Failure(format!("{server} rejected the mail permanently: {error}"))),
        Err(error) => Err(Failure(format!("the mail was not accepted: {error}"))),
    }
}
