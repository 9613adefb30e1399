//! Mails to a real mail server: how they arrive, TLS and authentication, and how refusals are classified.

use std::time::{Duration, Instant};

use countersign::config::MailPolicy;
use countersign::mail::{HeaderText, MailSetting, MailTransport, Mailer, Message, Recipient};
use countersign::mail::{RootCertificates, SendMailError, Sender, Smtp, SmtpLogin, SmtpPolicy, SmtpTls};
use countersign::model::{EmailAddress, Language};
use countersign::testing::{SmtpServer, SmtpServerOptions};
use serde_json::Value;
use tokio::net::TcpListener;
use uuid::Uuid;

const URL: &str = "https://blog.example.com:8443";
const ID: Uuid = Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8057);

fn sender() -> EmailAddress {
    EmailAddress::parse("noreply@example.com").unwrap()
}

fn is_about(wrong: MailSetting, error: &SendMailError) -> bool {
    matches!(error, SendMailError::Settings { setting, .. } if *setting == wrong)
}

fn mailer(smtp: SmtpPolicy) -> Mailer {
    let mut policy = MailPolicy::default();
    policy.from = Sender::new(Some(HeaderText::new("Blog für alle\r\nBcc: all@example.com")), sender());
    policy.site_name = HeaderText::new("Blog\r\nBcc: all@example.com\r\n\r\nSchöne Grüße");
    policy.transport = MailTransport::Smtp(smtp);
    Mailer::new(&policy, URL)
}

fn changed(server: &SmtpServer, change: impl FnOnce(&mut SmtpPolicy)) -> SmtpPolicy {
    let mut policy = server.policy();
    change(&mut policy);
    policy
}

async fn send(mailer: &Mailer, to: &str, username: &str) -> Result<(), SendMailError> {
    let to = Recipient::new(EmailAddress::parse(to).unwrap(), username, Language::default());
    let link = format!("{URL}/reset-password?token=abc").into();
    let message = Message::ResetPassword { link, minutes: 60 };
    mailer.send(&to, &message, ID, "2026-11-24T08:00:00Z".parse().unwrap()).await
}

fn header<'m>(mail: &'m Value, name: &str) -> &'m str {
    let headers: Vec<&Value> = mail["headers"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|pair| pair[0].as_str().unwrap().eq_ignore_ascii_case(name))
        .collect();
    assert_eq!(headers.len(), 1, "{name} in {mail}");
    headers[0][1].as_str().unwrap()
}

#[tokio::test]
async fn a_mail_arrives_as_two_parts_that_any_program_can_read() {
    let server = SmtpServer::start(SmtpServerOptions::default());
    let mailer = mailer(server.policy());
    send(&mailer, "ada@bücher.example", "Zoë 李\r\n.\r\nQUIT").await.unwrap();
    let mail = server.next_mail().await;

    assert_eq!(mail["from"], "noreply@example.com");
    assert_eq!(mail["to"][0], "ada@xn--bcher-kva.example");
    assert_eq!(mail["type"], "multipart/alternative");
    assert_eq!(mail["defects"].as_array().unwrap().len(), 0, "{mail}");
    assert_eq!(header(&mail, "Message-ID"), format!("<{ID}@blog.example.com>"));
    assert_eq!(header(&mail, "Date"), "Tue, 24 Nov 2026 08:00:00 +0000");
    assert_eq!(header(&mail, "Auto-Submitted"), "auto-generated");
    assert_eq!(header(&mail, "MIME-Version"), "1.0");
    assert_eq!(header(&mail, "To"), "ada@xn--bcher-kva.example");

    let parts = mail["parts"].as_array().unwrap();
    let types: Vec<&str> = parts.iter().map(|part| part["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["text/plain", "text/html"]);
    for part in parts {
        assert_eq!(part["charset"], "utf-8");
        assert_eq!(part["defects"].as_array().unwrap().len(), 0, "{part}");
        let text = part["text"].as_str().unwrap();
        assert!(text.contains(&format!("{URL}/reset-password?token=abc")), "{text}");
        assert!(text.contains("Hello Zoë 李  .  QUIT,") && text.contains("1 hour"), "{text}");
    }
    // The mail is ASCII, in lines that every server accepts (RFC 5322, section 2.1.1).
    let content = mail["content"].as_str().unwrap();
    assert!(content.is_ascii() && content.lines().all(|line| line.len() <= 998), "{content}");
}

#[tokio::test]
async fn no_name_adds_a_header_or_a_recipient() {
    let server = SmtpServer::start(SmtpServerOptions::default());
    let mailer = mailer(server.policy());
    send(&mailer, "ada@example.com", "Ada\r\nBcc: all@example.com\r\n\r\n<p>Hi").await.unwrap();
    let mail = server.next_mail().await;
    let names: Vec<&str> = mail["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["Date", "Message-ID", "From", "To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type"]
    );
    assert_eq!(mail["to"].as_array().unwrap().len(), 1);
    assert_eq!(header(&mail, "Subject"), "Reset Your Password - Blog  Bcc: all@example.com    Schöne Grüße");
    assert!(header(&mail, "From").contains("Blog für alle Bcc"), "{}", header(&mail, "From"));
}

#[tokio::test]
async fn connections_are_kept_and_the_same_id_is_the_same_mail() {
    let server = SmtpServer::start(SmtpServerOptions::default());
    let mailer = mailer(server.policy());
    let mut seen = Vec::new();
    for _ in 0..3 {
        send(&mailer, "ada@example.com", "Ada").await.unwrap();
        let mail = server.next_mail().await;
        seen.push((mail["peer_port"].clone(), mail["content"].clone()));
    }
    assert!(seen.iter().all(|one| one == &seen[0]), "{seen:?}");
}

#[tokio::test]
async fn starttls_and_a_login_are_used_and_demanded() {
    let login = ("robot".to_owned(), "pass word ü".to_owned());
    let options = SmtpServerOptions { tls: SmtpTls::StartTls, login: Some(login), ..SmtpServerOptions::default() };
    let server = SmtpServer::start(options);
    send(&mailer(server.policy()), "ada@example.com", "Ada").await.unwrap();
    let mail = server.next_mail().await;
    assert_eq!((&mail["tls"], &mail["login"]), (&Value::from(true), &Value::from("robot")));
    let trial = Smtp::new(server.policy(), URL).check(&sender()).await.unwrap();
    assert_eq!((trial.takes_utf8, trial.recipient_refusal), (true, None));

    let wrong = SmtpLogin::new("robot", "guess".to_owned().into());
    for (policy, step, setting) in [
        (changed(&server, |policy| policy.login = Some(wrong)), "logging in", MailSetting::Login),
        (changed(&server, |policy| policy.roots = None), "STARTTLS", MailSetting::Tls),
        (changed(&server, |policy| policy.login = None), "530", MailSetting::Login),
        (
            changed(&server, |policy| {
                policy.tls = SmtpTls::Off;
                policy.login = None;
            }),
            "530",
            MailSetting::Tls,
        ),
    ] {
        // These are configuration errors: once fixed, the mail can still be sent.
        let error = send(&mailer(policy), "ada@example.com", "Ada").await.unwrap_err();
        assert!(is_about(setting, &error) && !error.is_for_good(), "{step}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(step) && !text.contains("guess"), "{step}: {text}");
    }
    assert!(server.mails_so_far().await.is_empty());
}

#[tokio::test]
async fn encryption_from_the_first_byte_works_by_name_and_by_address() {
    let server = SmtpServer::start(SmtpServerOptions { tls: SmtpTls::Implicit, ..SmtpServerOptions::default() });
    for name in ["localhost", "127.0.0.1"] {
        let policy = changed(&server, |policy| policy.server = name.to_owned());
        send(&mailer(policy), "ada@example.com", "Ada").await.unwrap();
        assert_eq!(server.next_mail().await["tls"], true);
    }
    let without_authority = changed(&server, |policy| policy.roots = None);
    let error = Smtp::new(without_authority, URL).check(&sender()).await.unwrap_err();
    assert!(is_about(MailSetting::Tls, &error) && error.to_string().contains("connecting"), "{error}");
}

#[tokio::test]
async fn a_server_without_starttls_gets_nothing() {
    let server = SmtpServer::start(SmtpServerOptions::default());
    let policy = changed(&server, |policy| policy.tls = SmtpTls::StartTls);
    let error = send(&mailer(policy), "ada@example.com", "Ada").await.unwrap_err();
    assert!(is_about(MailSetting::Tls, &error) && error.to_string().contains("STARTTLS"), "{error}");
    assert!(server.mails_so_far().await.is_empty());
}

#[tokio::test]
async fn a_port_that_begins_otherwise_than_the_setting_says_is_told_from_silence() {
    let server = SmtpServer::start(SmtpServerOptions { tls: SmtpTls::Implicit, ..SmtpServerOptions::default() });
    let policy = changed(&server, |policy| policy.tls = SmtpTls::StartTls);
    let error = send(&mailer(policy), "ada@example.com", "Ada").await.unwrap_err();
    assert!(is_about(MailSetting::Tls, &error), "{error}");
    assert!(error.to_string().contains("the server begins with TLS, which is MAIL_TLS=implicit"), "{error}");
    assert!(server.mails_so_far().await.is_empty());

    let server = SmtpServer::start(SmtpServerOptions::default());
    let policy = changed(&server, |policy| policy.tls = SmtpTls::Implicit);
    let error = send(&mailer(policy), "ada@example.com", "Ada").await.unwrap_err();
    assert!(is_about(MailSetting::Tls, &error), "{error}");
}

#[tokio::test]
async fn refusals_are_for_good_or_for_now_and_name_no_address() {
    let server = SmtpServer::start(SmtpServerOptions::default());
    let mailer = mailer(server.policy());
    let refused = send(&mailer, "refused@example.com", "Ada").await.unwrap_err();
    assert!(matches!(&refused, SendMailError::Address(text) if text.contains("550")), "{refused}");
    let later = send(&mailer, "later@example.com", "Ada").await.unwrap_err();
    assert!(matches!(&later, SendMailError::Server(text) if text.contains("451")), "{later}");
    assert!(!format!("{refused}{later}").contains("example.com"), "{refused} {later}");
    // The refused connection is not reused.
    send(&mailer, "ada@example.com", "Ada").await.unwrap();
    assert_eq!(server.next_mail().await["to"][0], "ada@example.com");
}

#[tokio::test]
async fn silence_ends_within_the_time_limit_and_disturbs_no_later_mail() {
    let limit = Duration::from_secs(2);
    let server = SmtpServer::start(SmtpServerOptions::default());
    let patient = mailer(changed(&server, |policy| policy.time_max = limit));
    let begun = Instant::now();
    let error = send(&patient, "silence@example.com", "Ada").await.unwrap_err();
    assert!(matches!(&error, SendMailError::Server(text) if text.ends_with("no answer within 2 s")), "{error}");
    assert!(begun.elapsed() < 2 * limit);
    send(&patient, "ada@example.com", "Ada").await.unwrap();
    assert_eq!(server.next_mail().await["to"][0], "ada@example.com");

    let limit = Duration::from_millis(200);
    // Accepts connections but never replies.
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let policy = changed(&server, |policy| {
        policy.port = mute.local_addr().unwrap().port();
        policy.time_max = limit;
    });
    let error = send(&mailer(policy), "ada@example.com", "Ada").await.unwrap_err();
    assert!(matches!(&error, SendMailError::Server(text) if text.contains("set MAIL_TLS=implicit")), "{error}");
    // Nothing listens there.
    let policy = changed(&server, |policy| policy.port = 1);
    let error = send(&mailer(policy), "ada@example.com", "Ada").await.unwrap_err();
    assert!(matches!(&error, SendMailError::Server(text) if text.starts_with("localhost:1: connecting")), "{error}");
}

#[test]
fn a_mailer_is_made_and_dropped_without_a_runtime() {
    drop(mailer(SmtpPolicy::default()));
    assert!(RootCertificates::from_pem(b"no certificate").is_err());
    assert!(RootCertificates::from_pem(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
}
