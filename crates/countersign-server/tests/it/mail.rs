use std::fs;

use countersign::config::MailPolicy;
use countersign::mail::{HeaderText, Mailer, Message, Recipient, SendMail as _, Sender, SmtpTls};
use countersign::model::{EmailAddress, Language};
use countersign::operator::random_uuid_v7;
use countersign::testing::{SmtpServer, SmtpServerOptions, TestApp};
use countersign_server::{Audience, HttpSettings, NoSettings, assemble, openapi};

use crate::sandbox::Sandbox;
use crate::serving::Bare;
use crate::{KEY, current_database};

/// Sets the settings to reach this mail server.
pub(crate) fn sending_to(server: &SmtpServer, sandbox: Sandbox) -> Sandbox {
    fs::write(sandbox.path("ca.pem"), server.certificate()).unwrap();
    sandbox
        .set("MAIL_SERVER", "localhost")
        .set("MAIL_PORT", server.port())
        .set("MAIL_FROM", "Räder & Co <noreply@example.org>")
}

#[tokio::test]
async fn a_test_mail_goes_by_the_configured_server_and_says_so() {
    let options = SmtpServerOptions {
        tls: SmtpTls::StartTls,
        login: Some(("robot".to_owned(), KEY.to_owned())),
        ..SmtpServerOptions::default()
    };
    let server = SmtpServer::start(options);
    let sandbox = sending_to(&server, Sandbox::new())
        .set("MAIL_USERNAME", "robot")
        .set("MAIL_PASSWORD", KEY)
        .set("MAIL_CA_FILE", "ca.pem")
        .set("DEFAULT_LANGUAGE", "de")
        .set("SITE_NAME", "Räderwerk");
    let ended = sandbox.run(&["mail", "test", "ada@example.org"]).with(0);
    let told = format!("localhost:{} accepted the mail for ada@example.org from noreply@example.org", server.port());
    assert!(ended.stdout.starts_with(&told), "{}", ended.stdout);
    assert!(!ended.all().contains(KEY), "{}", ended.all());
    let mail = server.next_mail().await;
    assert_eq!((&mail["tls"], &mail["login"]), (&true.into(), &"robot".into()));
    let text = mail["parts"][0]["text"].as_str().unwrap();
    assert!(text.contains("Räderwerk kann Mails verschicken."), "{text}");

    let without_authority = sandbox.unset("MAIL_CA_FILE").run(&["mail", "test", "ada@example.org"]).with(1);
    assert!(without_authority.stderr.contains("the mail was not accepted: localhost:"), "{}", without_authority.stderr);
    assert!(without_authority.stderr.contains("STARTTLS"), "{}", without_authority.stderr);
}

#[test]
fn a_test_mail_that_is_refused_says_whether_for_good() {
    let server = SmtpServer::start(SmtpServerOptions::default());
    let sandbox = sending_to(&server, Sandbox::new()).set("MAIL_USE_TLS", "false");
    for (address, told) in
        [("refused@example.org", "rejected the mail permanently"), ("later@example.org", "the mail was not accepted")]
    {
        let ended = sandbox.run(&["mail", "test", address]).with(1);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    sandbox.run(&["mail", "test", "nobody"]).with(2);
}

#[test]
fn a_preview_is_printed_or_written_with_the_operators_changes() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("changes/locales")).unwrap();
    let sandbox = sandbox
        .file("changes/locales/fr.ftl", "mail-greeting = Bonjour { $username },\n")
        .set("TEMPLATES_DIR", "changes")
        .set("FRONTEND_URL", "https://accounts.example.org");
    let printed = sandbox.run(&["mail", "preview"]).with(0).stdout;
    for part in ["== reset_password\nSubject: Reset Your Password - Countersign\n\nHello Ada Lovelace,", "1 hour"] {
        assert!(printed.contains(part), "{printed}");
    }
    assert!(printed.contains("https://accounts.example.org/reset-password?token="), "{printed}");
    let french = sandbox.run(&["mail", "preview", "--language", "fr"]).with(0).stdout;
    assert!(french.contains("fr: ") && french.contains("texts are taken from English: "), "{french}");
    assert!(french.contains("Bonjour Ada Lovelace,"), "{french}");
    let unknown = sandbox.run(&["mail", "preview", "--language", "es"]).with(1);
    assert!(unknown.stderr.contains("no texts in the language es; available: de, en, fr"), "{}", unknown.stderr);

    sandbox.run(&["mail", "preview", "--out", "out"]).with(0);
    let index = sandbox.read("out/index.html");
    for name in ["en/verify_email", "de/reset_password", "fr/new_sign_in"] {
        assert!(index.contains(&format!("href=\"{name}.html\"")), "{index}");
        assert!(sandbox.read(&format!("out/{name}.html")).starts_with("<!doctype html>"));
        assert!(!sandbox.read(&format!("out/{name}.txt")).is_empty());
    }
}

#[tokio::test]
async fn nothing_is_served_with_a_template_that_is_broken() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url());
    fs::create_dir_all(sandbox.path("changes/mail")).unwrap();
    let sandbox = sandbox.file("changes/mail/verify_email.txt", "one\n{{ lnik }}\n").set("TEMPLATES_DIR", "changes");
    let stderr = sandbox.run(&["serve"]).with(1).stderr;
    assert!(
        stderr.contains("TEMPLATES_DIR cannot be used: mail/verify_email.txt, line 2: undefined value"),
        "{stderr}"
    );
}

#[test]
fn settings_of_mail_that_do_not_go_together_are_named() {
    for (settings, problem) in [
        (
            &[("MAIL_USE_TLS", "false"), ("MAIL_SERVER", "mail.example.org")][..],
            "MAIL_USE_TLS is false, but mail.example.org is not this machine",
        ),
        (&[("MAIL_USE_TLS", "false"), ("MAIL_TLS", "implicit")], "MAIL_USE_TLS contradicts MAIL_TLS"),
        (&[("MAIL_USE_TLS", "true"), ("MAIL_TLS", "none")], "MAIL_USE_TLS contradicts MAIL_TLS"),
        (&[("MAIL_USERNAME", "robot")], "MAIL_PASSWORD is not set, but MAIL_USERNAME is"),
        (&[("MAIL_PASSWORD", "hunter2")], "MAIL_USERNAME is not set, but MAIL_PASSWORD is"),
        (&[("MAIL_SERVER", "smtp://mail.example.org")], "expected a name such as mail.example.org"),
        (&[("MAIL_FROM", "nobody")], "expected an e-mail address, or `Name <address>`"),
        (&[("MAIL_HELO_NAME", "vm")], "expected a full domain name such as accounts.example.org, or an address"),
        (&[("MAIL_TLS", "ssl")], "expected starttls or implicit or none"),
        (&[("MAIL_CA_FILE", "missing.pem")], "the file cannot be read"),
        (&[("MAIL_TIMEOUT_SECONDS", "0")], "expected a whole number from 1 to 300"),
        (&[("DEFAULT_LANGUAGE", "fr")], "DEFAULT_LANGUAGE cannot be used: there are no texts in the language fr"),
        (&[("DEFAULT_LANGUAGE", "..")], "expected a language tag such as en, de or pt-BR"),
        (&[("TEMPLATES_DIR", "missing")], "TEMPLATES_DIR cannot be used: the folder missing cannot be read"),
    ] {
        let sandbox = settings.iter().fold(Sandbox::new(), |sandbox, (name, value)| sandbox.set(name, value));
        let ended = sandbox.run(&["settings"]).with(1);
        assert!(ended.stderr.contains(problem), "{settings:?}: {}", ended.stderr);
        assert!(!ended.all().contains("hunter2"), "{}", ended.all());
    }
    for settings in [
        &[("MAIL_USE_TLS", "false")][..],
        &[("MAIL_USE_TLS", "false"), ("MAIL_SERVER", "127.0.0.1")],
        &[("MAIL_TLS", "none"), ("MAIL_SERVER", "mail.example.org")],
        &[("MAIL_USE_TLS", "true"), ("MAIL_TLS", "implicit")],
        &[("MAIL_USERNAME", "robot"), ("MAIL_PASSWORD", "pass")],
    ] {
        let sandbox = settings.iter().fold(Sandbox::new(), |sandbox, (name, value)| sandbox.set(name, value));
        sandbox.run(&["settings"]).with(0);
    }
}

#[test]
fn a_port_that_does_not_go_with_the_encryption_is_warned_of_at_once() {
    for (settings, warning) in [
        (
            &[("MAIL_PORT", "465"), ("MAIL_TLS", "starttls")][..],
            Some("MAIL_PORT is 465, where mail servers expect TLS from the start"),
        ),
        (
            &[("MAIL_PORT", "465"), ("MAIL_USE_TLS", "false")],
            Some("but MAIL_USE_TLS says otherwise; use MAIL_TLS=implicit"),
        ),
        (&[("MAIL_PORT", "587"), ("MAIL_TLS", "implicit")], Some("where mail servers start without TLS")),
        (&[("MAIL_PORT", "465")], None),
        (&[("MAIL_PORT", "465"), ("MAIL_USE_TLS", "true")], None),
        (&[("MAIL_PORT", "2465"), ("MAIL_TLS", "implicit")], None),
    ] {
        let sandbox = settings.iter().fold(Sandbox::new(), |sandbox, (name, value)| sandbox.set(name, value));
        let stderr = sandbox.run(&["settings"]).with(0).stderr;
        assert_eq!(stderr.contains("warning: "), warning.is_some(), "{settings:?}: {stderr}");
        assert!(stderr.contains(warning.unwrap_or_default()), "{settings:?}: {stderr}");
    }
}

#[tokio::test]
async fn captured_mail_is_shown_in_dev_and_nowhere_else() {
    let newcomer = Sandbox::new().served_cheaply();
    let dev = newcomer.start("dev");
    let mail = dev.get("/dev/mail");
    mail.ok(200);
    assert!(mail.text().contains("Nothing has been sent yet."), "{}", mail.text());
    assert!(dev.stdout().contains(&format!("Mail       http://{}/dev/mail", dev.address)), "{}", dev.stdout());
    // A site whose name resolves to this machine (DNS rebinding) cannot read it.
    dev.request("GET", "/dev/mail", &[("Host", "evil.example:8000")], "").ok(404);

    let with_server = Sandbox::new().served_cheaply().set("MAIL_SERVER", "mail.example.org");
    let sending = with_server.start("dev");
    sending.get("/dev/mail").ok(404);
    assert!(sending.stdout().contains("Mail       sent by mail.example.org:587"), "{}", sending.stdout());

    let database = current_database().await;
    let public = Sandbox::with_database(database.url());
    let serve = public.start("serve");
    serve.get("/dev/mail").ok(404);
    let app = TestApp::host(&[], |accounts| {
        (assemble::<Bare>(accounts, &NoSettings {}, &HttpSettings::default()), openapi::<Bare>())
    })
    .await;
    assert!(app.accounts().mailbox().is_some());
    app.anonymous().get("/dev/mail").await.ok(404);
}

#[tokio::test]
async fn a_captured_mail_is_shown_whole_and_cannot_run_anything() {
    let mut http = HttpSettings::default();
    http.audience = Audience::Developer;
    let app =
        TestApp::host(&[], |accounts| (assemble::<Bare>(accounts, &NoSettings {}, &http), openapi::<Bare>())).await;
    let mailer = Mailer::new(&MailPolicy::default(), "http://localhost");
    let ada = Recipient::new(EmailAddress::parse("ada@example.com").unwrap(), "ada", Language::default());
    let mut ids = Vec::new();
    for subject in ["First", "Second <script>"] {
        let id = random_uuid_v7(app.clock.now());
        let mut mail = mailer.render(&ada, &Message::Test { at: app.clock.now() }, id, app.clock.now()).unwrap();
        mail.from = Sender::new(Some(HeaderText::new("A & B")), EmailAddress::parse("b@example.com").unwrap());
        mail.subject = HeaderText::new(subject);
        "Hello <Ada>".clone_into(&mut mail.text);
        "<html><head></head><body><script>1</script><a href=\"/x\">x</a></body></html>".clone_into(&mut mail.html);
        app.mailbox().send(mail).await.unwrap();
        ids.push(id);
    }
    let list = app.anonymous().get("/dev/mail").await;
    list.ok(200);
    let list = list.text();
    assert!(list.find("Second &lt;script&gt;") < list.find("First"), "{list}");
    assert!(!list.contains("<script"), "{list}");

    let path = format!("/dev/mail/{}", ids[1]);
    let page = app.anonymous().get(&path).await;
    page.ok(200);
    for part in ["Hello &lt;Ada&gt;", "A &amp; B &lt;b@example.com&gt;", "Auto-Submitted: auto-generated", "sandbox="] {
        assert!(page.text().contains(part), "{part}\n{}", page.text());
    }
    let html = app.anonymous().get(&format!("{path}/html")).await;
    html.ok(200);
    let policy = html.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox allow-popups"), "{policy}");
    assert!(!policy.contains("script"), "{policy}");
    assert!(html.text().contains("<base target=\"_top\">"), "{}", html.text());
    app.anonymous().get("/dev/mail/nothing").await.ok(404);
}
