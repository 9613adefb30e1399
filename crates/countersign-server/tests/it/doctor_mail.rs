//! What `doctor` finds out about a mail server in a complete SMTP session.

use countersign::testing::{SmtpHello, SmtpRefusal, SmtpServer, SmtpServerOptions};

use crate::current_database;
use crate::mail::sending_to;
use crate::sandbox::{Ended, Sandbox};

/// Returns the lines about mail.
fn lines(ended: &Ended) -> Vec<&str> {
    ended.stdout.lines().filter(|line| line.contains("  mail: ")).collect()
}

#[tokio::test]
async fn doctor_plays_a_whole_conversation_and_sends_nothing() {
    let database = current_database().await;
    let server = SmtpServer::start(SmtpServerOptions::default());
    let place = format!("localhost:{}", server.port());
    let mut sandbox = sending_to(&server, Sandbox::with_database(database.url())).set("MAIL_USE_TLS", "false");
    let ended = sandbox.run(&["doctor"]).with(0);
    let good = format!("ok    mail: {place} answers and accepts mail; `mail test` sends one");
    assert_eq!(lines(&ended), [good]);

    for (from, code, verdict, told) in [
        (
            "forbidden@example.org",
            1,
            "fail",
            "MAIL FROM: permanent error (550): 5.7.1 (address) you may not send as this; look at MAIL_FROM",
        ),
        ("relayed@example.org", 1, "fail", "Relay access denied; look at MAIL_USERNAME and MAIL_PASSWORD"),
        ("refused@example.org", 0, "warn", "the address in MAIL_FROM cannot receive mail"),
        ("later@example.org", 0, "warn", "RCPT TO: transient error (451)"),
    ] {
        sandbox = sandbox.set("MAIL_FROM", from);
        let ended = sandbox.run(&["doctor"]).with(code);
        let found = lines(&ended);
        assert!(found.len() == 1 && found[0].starts_with(verdict) && found[0].contains(told), "{from}: {found:?}");
    }
    assert!(server.mails_so_far().await.is_empty());

    let sandbox = sandbox.set("MAIL_USE_TLS", "true").set("MAIL_FROM", "noreply@example.com");
    let ended = sandbox.run(&["doctor"]).with(1);
    let found = lines(&ended);
    assert!(found[0].starts_with(&format!("fail  mail: {place}: STARTTLS")), "{found:?}");
    assert!(found[0].ends_with("; look at MAIL_TLS, MAIL_PORT and MAIL_CA_FILE"), "{found:?}");
    assert!(found[1].starts_with("warn  mail: the sender is noreply@example.com; set MAIL_FROM"), "{found:?}");

    let ended = Sandbox::with_database(database.url()).set("MAIL_PORT", 1).run(&["doctor"]).with(0);
    assert!(ended.stdout.contains("warn  mail: MAIL_SERVER is not set, so no mail can be sent"), "{}", ended.stdout);
}

#[tokio::test]
async fn doctor_says_which_name_a_strict_server_wants_and_that_smtputf8_is_missing() {
    let database = current_database().await;
    for (refusal, code) in [(SmtpRefusal::AtGreeting, "(501)"), (SmtpRefusal::AtRecipient, "(504)")] {
        let hello = SmtpHello::Names(refusal);
        let server = SmtpServer::start(SmtpServerOptions { hello, smtputf8: false, ..SmtpServerOptions::default() });
        let sandbox = sending_to(&server, Sandbox::with_database(database.url())).set("MAIL_USE_TLS", "false");
        let ended = sandbox.run(&["doctor"]).with(1);
        let found = lines(&ended);
        assert!(found[0].starts_with("fail  mail: ") && found[0].contains(code), "{found:?}");
        assert!(found[0].ends_with("; look at MAIL_HELO_NAME"), "{found:?}");

        for (name, value) in [("MAIL_HELO_NAME", "mail.example.org"), ("FRONTEND_URL", "https://accounts.example.org")]
        {
            let sandbox = sending_to(&server, Sandbox::with_database(database.url())).set("MAIL_USE_TLS", "false");
            let ended = sandbox.set(name, value).run(&["doctor"]).with(0);
            let found = lines(&ended);
            assert!(found[0].starts_with("ok    mail: "), "{name}: {found:?}");
            assert!(
                found[1].starts_with("warn  mail: ") && found[1].contains("does not announce SMTPUTF8"),
                "{found:?}"
            );
        }
    }
}
