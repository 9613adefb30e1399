//! Mail contents: the text of each mail in both languages, what operators may override, and what no one can.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign::config::MailPolicy;
use countersign::mail::{
    HeaderText, MailTransport, Mailer, Message, OutgoingMail, Recipient, check_templates, without_links,
};
use countersign::model::{EmailAddress, Language};
use countersign::templates::{Templates, context};
use uuid::Uuid;

const URL: &str = "https://blog.example.com";

fn mailer(configure: impl FnOnce(&mut MailPolicy)) -> Mailer {
    let mut policy = MailPolicy::default();
    policy.transport = MailTransport::Capture;
    configure(&mut policy);
    Mailer::new(&policy, URL)
}

fn recipient(username: &str, language: &str) -> Recipient {
    Recipient::new(EmailAddress::parse("ada@example.com").unwrap(), username, Language::parse(language).unwrap())
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

#[test]
fn the_reset_mail_says_what_the_contract_asks() {
    let mailer = mailer(|policy| policy.site_name = HeaderText::new("FastAPI Blog"));
    let link = format!("{URL}/reset-password?token=abc");
    for (minutes, told) in [(60, "1 hour"), (120, "2 hours"), (45, "45 minutes"), (1, "1 minute"), (2_880, "2 days")] {
        let message = Message::ResetPassword { link: link.clone().into(), minutes };
        let mail = render(&mailer, &recipient("corey", "en"), &message);
        assert_eq!(mail.subject.as_str(), "Reset Your Password - FastAPI Blog");
        for part in [&mail.text, &mail.html] {
            assert!(part.contains(&link) && part.contains("Hello corey,"), "{part}");
            assert!(part.contains(&format!("expires in {told} ")), "{part}");
        }
    }
}

#[test]
fn what_is_put_into_html_is_escaped_and_into_text_is_not() {
    let mailer = mailer(|policy| policy.site_name = HeaderText::new("<b>Site</b>"));
    let name = "<script>alert('1')</script> & \"Co\"";
    for message in Message::samples(URL) {
        let mail = render(&mailer, &recipient(name, "en"), &message);
        assert!(!mail.html.contains("<script") && !mail.html.contains("<b>Site"), "{}", mail.html);
        assert!(mail.html.contains("&lt;script&gt;alert(&#39;1&#39;)"), "{}", mail.html);
        assert!(mail.text.contains("<b>Site</b>"), "{}", mail.text);
    }
}

#[test]
fn a_name_without_links_leads_nowhere_and_others_stay_as_they_are() {
    for (name, greeted) in [
        ("https://evil.example/x", "https   evil example x"),
        ("evil.example", "evil example"),
        ("www.evil.example", "www evil example"),
        ("Dr. J. Smith", "Dr. J. Smith"),
    ] {
        assert_eq!(without_links(name), greeted);
    }
}

#[test]
fn a_template_of_the_folder_replaces_ours_and_a_file_adds_a_language() {
    let folder = TempFolder::new();
    folder
        .write("mail/reset_password.txt", "{{ t(\"mail-greeting\", username=username) }} {{ link }} {{ lifetime }}\n");
    folder.write("locales/fr.ftl", "mail-greeting = Bonjour { $username } !\nduration-hours = { $count } heure\n");
    folder.write("locales/de.ftl", "mail-greeting = Moin { $username },\n");
    folder.write(".draft.txt", "{% broken");
    folder.write("notes.md", "{% broken");
    let templates = Templates::builder().folder(folder.path()).build().unwrap();
    check_templates(&templates).unwrap();
    let mailer = mailer(|policy| policy.templates = templates);
    let message = Message::ResetPassword { link: "https://x.example/1".to_owned().into(), minutes: 60 };
    for (language, text) in [
        ("fr", "Bonjour Zoë ! https://x.example/1 1 heure"),
        ("fr-CA", "Bonjour Zoë ! https://x.example/1 1 heure"),
        ("de-AT", "Moin Zoë, https://x.example/1 1 Stunde"),
        ("ja", "Hello Zoë, https://x.example/1 1 hour"),
    ] {
        assert_eq!(render(&mailer, &recipient("Zoë", language), &message).text, text, "{language}");
    }
}

#[test]
fn what_is_wrong_in_the_folder_is_named_with_its_line() {
    let problems = |name: &str, source: &str| {
        let folder = TempFolder::new();
        folder.write(name, source);
        let built = Templates::builder().folder(folder.path()).build();
        built.and_then(|templates| check_templates(&templates)).unwrap_err().0
    };
    for (name, source, problem) in [
        ("mail/reset_password.txt", "one\n{% if %}", "mail/reset_password.txt, line 2: syntax error"),
        ("mail/reset_password.html", "\n\n{{ lnik }}", "mail/reset_password.html, line 3: undefined value"),
        ("mail/layout.txt", "{{ t('mail-greting') }}", "mail/layout.txt, line 1: there is no text mail-greting"),
        (
            "mail/layout.txt",
            "\n{{ t('mail-greeting') }}",
            "mail/layout.txt, line 2: invalid operation: the text mail-greeting",
        ),
        ("mail/layout.html", "{% include 'mail/nothing.html' %}", "mail/layout.html, line 1: template not found"),
        (
            "locales/en.ftl",
            "# x\nmail-greeting = Hi { $user }",
            "locales/en.ftl, line 2: the text mail-greeting is never given $user",
        ),
        ("locales/de.ftl", "mail-greeting = {", "locales/de.ftl, line 1: "),
        ("locales/deutsch_.ftl", "", "locales/deutsch_.ftl: its name is no language"),
    ] {
        let found = problems(name, source);
        assert!(found.iter().any(|found| found.starts_with(problem)), "{name}: {found:?}");
    }
    let nowhere = Templates::builder().folder("/nowhere/at/all").build().err().unwrap();
    assert!(nowhere.0[0].starts_with("the folder /nowhere/at/all cannot be read"), "{nowhere}");
}

#[test]
fn a_host_adds_templates_and_texts_of_its_own() {
    let templates = Templates::builder()
        .templates(&[
            ("post.html", "{% from 'parts.html' import title %}<html lang={{ language }}>{{ title(name) }}"),
            ("parts.html", "{% macro title(name) %}<h1>{{ t('post-by', name=name, count=2) }}</h1>{% endmacro %}"),
        ])
        .texts(&Language::default(), "post-by = { $count } posts by { $name }")
        .texts(&Language::parse("de").unwrap(), "post-by = { $count } Beiträge von { $name }")
        .build()
        .unwrap();
    let german = templates.negotiate(Some("de-CH, en;q=0.5")).clone();
    let page = templates.render("post.html", &german, context! { name => "A & B" }).unwrap();
    assert_eq!(page, "<html lang=de><h1>2 Beiträge von A &amp; B</h1>");
    assert_eq!(templates.negotiate(None), &Language::default());
    let missing = templates.render("post.html", &german, context! {}).unwrap_err();
    assert!(missing.to_string().starts_with("parts.html, line 1: undefined value: name of the text"), "{missing}");
}

/// A folder that is removed on drop.
struct TempFolder(PathBuf);

impl TempFolder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("countersign-templates-{}-{count}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
