//! The mails: what each says in both languages, what operators may change in them, and what nobody can.

use std::fs;

use countersign::mail::{MailPolicy, MailTransport, Mailer, Message, OutgoingMail, Recipient, check_templates};
use countersign::model::{EmailAddress, Language};
use countersign::templates::Templates;
use uuid::Uuid;

const URL: &str = "https://blog.example.com";

fn mailer(configure: impl FnOnce(&mut MailPolicy)) -> Mailer {
    let mut policy = MailPolicy { transport: MailTransport::Capture, ..MailPolicy::default() };
    configure(&mut policy);
    Mailer::new(&policy, URL)
}

fn recipient(username: &str, language: &str) -> Recipient {
    Recipient {
        address: EmailAddress::parse("ada@example.com").unwrap(),
        username: username.to_owned(),
        language: Language::parse(language).unwrap(),
    }
}

fn render(mailer: &Mailer, to: &Recipient, message: &Message) -> OutgoingMail {
    let id = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
    mailer.render(to, message, id, "2026-11-24T08:00:00Z".parse().unwrap()).unwrap()
}

#[test]
fn every_message_reads_well_in_both_languages() {
    let mailer = mailer(|_| ());
    for language in ["en", "de"] {
        for message in Message::samples(URL) {
            let mail = render(&mailer, &recipient("Zoë O'Hara & Söhne", language), &message);
            let name = format!("{language}_{}", message.name());
            insta::assert_snapshot!(format!("{name}.txt"), format!("{}\n\n{}", mail.headers(), mail.text));
            insta::assert_snapshot!(format!("{name}.html"), mail.html);
        }
    }
}
