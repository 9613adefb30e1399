//! Mail servers as deployed: strict about host names, greylisting, dropping connections, without SMTPUTF8. Which
//! failures the job queue retries, and which it gives up on.

use countersign::config::Config;
use countersign::mail::{HelloName, MailTransport, SmtpTls};
use countersign::model::{EmailAddress, QueuedJob};
use countersign::testing::{PASSWORD, SmtpHello, SmtpMood, SmtpRefusal, SmtpServer, SmtpServerOptions, TestApp};
use jiff::SignedDuration;
use serde_json::json;

fn greeted(hello: SmtpHello) -> SmtpServer {
    SmtpServer::start(SmtpServerOptions { hello, ..SmtpServerOptions::default() })
}

async fn app_at(url: &str, server: &SmtpServer) -> TestApp {
    TestApp::with(|config| {
        config.public_url = url.parse().unwrap();
        config.mail.transport = MailTransport::Smtp(server.policy());
    })
    .await
}

async fn app_sending_to(server: &SmtpServer) -> TestApp {
    app_at("https://accounts.example.org", server).await
}

async fn register(app: &TestApp, email: &str) {
    let body = json!({ "username": "ada", "email": email, "password": PASSWORD });
    app.anonymous().post("/api/users", body).await.ok(201);
}

/// The only job in the queue.
async fn the_job(app: &TestApp) -> QueuedJob {
    let jobs = app.accounts().list_jobs().await.unwrap();
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs[0].clone()
}

async fn jobs_left(app: &TestApp) -> usize {
    app.accounts().list_jobs().await.unwrap().len()
}

/// Numbers of mails counted as retried and as given up.
fn counts(app: &TestApp) -> (u64, u64) {
    let metrics = app.accounts().metrics();
    let of_mails =
        |counts: Vec<(&'static str, u64)>| counts.into_iter().find(|(kind, _)| *kind == "send_token").unwrap().1;
    (of_mails(metrics.jobs_retried), of_mails(metrics.jobs_failed))
}

#[tokio::test]
async fn a_server_that_refuses_bare_names_is_greeted_by_a_full_name_or_an_address() {
    for refusal in [SmtpRefusal::AtGreeting, SmtpRefusal::AtRecipient] {
        let strict = SmtpHello::Full(refusal);
        for (tls, url, hello) in [
            (SmtpTls::Off, "https://accounts.example.org:8443", "accounts.example.org"),
            (SmtpTls::StartTls, "https://accounts.example.org", "accounts.example.org"),
            (SmtpTls::Implicit, "http://192.0.2.1:8000", "[192.0.2.1]"),
            (SmtpTls::Off, "http://lan-name", "[127.0.0.1]"),
            (SmtpTls::Implicit, "http://localhost:8000", "[127.0.0.1]"),
        ] {
            let server = SmtpServer::start(SmtpServerOptions { tls, hello: strict, ..SmtpServerOptions::default() });
            let app = app_at(url, &server).await;
            register(&app, "ada@example.com").await;
            app.run_jobs().await;
            assert_eq!(jobs_left(&app).await, 0, "{url}");
            assert_eq!(server.next_mail().await["hello"], hello, "{url}");
        }
    }
}

#[tokio::test]
async fn a_greeting_that_is_refused_is_our_fault_and_the_mail_goes_when_the_setting_is_right() {
    for (refusal, code) in [(SmtpRefusal::AtGreeting, "501"), (SmtpRefusal::AtRecipient, "504")] {
        let server = greeted(SmtpHello::Names(refusal));
        let app = app_at("http://localhost:8000", &server).await;
        register(&app, "ada@example.com").await;
        for _ in 0..3 {
            assert_eq!(app.run_jobs().await, 1);
            let job = the_job(&app).await;
            let error = job.last_error.unwrap();
            assert_eq!(job.failed_at, None, "{error}");
            assert!(error.contains(code) && error.ends_with("; look at MAIL_HELO_NAME"), "{error}");
            app.clock.advance(SignedDuration::from_mins(6));
        }
        assert_eq!(counts(&app), (3, 0));

        let named = app.another_instance(|mut config: Config| {
            let mut policy = server.policy();
            policy.hello_name = Some(HelloName::parse("accounts.example.org").unwrap());
            config.mail.transport = MailTransport::Smtp(policy);
            config
        });
        assert_eq!(named.run_jobs().await, 1);
        assert_eq!(server.next_mail().await["hello"], "accounts.example.org");
    }
}

#[tokio::test]
async fn a_greylisted_mail_is_taken_when_it_comes_again() {
    let mut server = greeted(SmtpHello::Anything);
    server.set_mood(SmtpMood::Greylisting);
    let app = app_sending_to(&server).await;
    register(&app, "ada@example.com").await;
    app.run_jobs().await;
    let job = the_job(&app).await;
    let error = job.last_error.unwrap();
    assert!(error.contains("451") && !error.contains("example.com") && !error.contains("look at"), "{error}");
    assert_eq!((job.failed_at, server.mails_so_far().await.len()), (None, 0));
    app.clock.advance(SignedDuration::from_secs(3));
    app.run_jobs().await;
    assert_eq!(server.next_mail().await["to"][0], "ada@example.com");
    assert_eq!((jobs_left(&app).await, counts(&app)), (0, (1, 0)));
}

#[tokio::test]
async fn a_mail_whose_connection_breaks_off_in_the_middle_is_sent_again() {
    let mut server = greeted(SmtpHello::Anything);
    server.set_mood(SmtpMood::Dropping);
    let app = app_sending_to(&server).await;
    register(&app, "ada@example.com").await;
    app.run_jobs().await;
    let job = the_job(&app).await;
    assert_eq!(job.failed_at, None, "{:?}", job.last_error);
    assert!(job.last_error.unwrap().contains(": DATA: "));
    server.set_mood(SmtpMood::Taking);
    app.clock.advance(SignedDuration::from_secs(3));
    app.run_jobs().await;
    assert_eq!(server.next_mail().await["to"][0], "ada@example.com");
    assert_eq!((jobs_left(&app).await, server.mails_so_far().await.len()), (0, 0));
}

#[tokio::test]
async fn an_address_that_the_server_does_not_know_is_given_up_and_counted() {
    let server = greeted(SmtpHello::Anything);
    // Refused at the recipient, and after the whole mail.
    for (local, phase) in [("refused", "RCPT TO"), ("vanished", "DATA")] {
        let app = app_sending_to(&server).await;
        register(&app, &format!("{local}@example.com")).await;
        app.run_jobs().await;
        let job = the_job(&app).await;
        let error = job.last_error.unwrap();
        assert_eq!((job.attempts, job.failed_at), (1, Some(app.clock.now())), "{error}");
        assert!(error.contains("550") && error.contains(phase), "{error}");
        assert!(!error.contains("example.com") && !error.contains("vanished"), "{error}");
        assert_eq!(counts(&app), (0, 1));
    }
}

#[tokio::test]
async fn a_refusal_that_means_us_is_tried_again_and_names_the_setting() {
    let server = greeted(SmtpHello::Anything);
    for (from, local, setting) in [
        ("noreply", "relayed", "MAIL_USERNAME and MAIL_PASSWORD"),
        ("noreply", "unverified", "MAIL_FROM"),
        ("forbidden", "ada", "MAIL_FROM"),
    ] {
        let app = TestApp::with(|config| {
            config.mail.from.address = EmailAddress::parse(&format!("{from}@example.org")).unwrap();
            config.mail.transport = MailTransport::Smtp(server.policy());
        })
        .await;
        register(&app, &format!("{local}@example.com")).await;
        app.run_jobs().await;
        let job = the_job(&app).await;
        let error = job.last_error.unwrap();
        assert_eq!(job.failed_at, None, "{error}");
        assert!(error.ends_with(&format!("; look at {setting}")), "{error}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_ascii_goes_by_smtputf8_and_is_given_up_where_that_is_missing() {
    let [modern, old] =
        [true, false].map(|smtputf8| SmtpServer::start(SmtpServerOptions { smtputf8, ..SmtpServerOptions::default() }));
    let app = app_sending_to(&modern).await;
    register(&app, "zoë@bücher.example").await;
    app.run_jobs().await;
    let mail = modern.next_mail().await;
    assert_eq!((&mail["to"][0], &mail["smtputf8"]), (&"zoë@xn--bcher-kva.example".into(), &true.into()));

    // A domain has an ASCII form.
    let app = app_sending_to(&old).await;
    register(&app, "ada@bücher.example").await;
    app.run_jobs().await;
    let mail = old.next_mail().await;
    assert_eq!((&mail["to"][0], &mail["smtputf8"]), (&"ada@xn--bcher-kva.example".into(), &false.into()));

    let app = app_sending_to(&old).await;
    register(&app, "zoë@example.com").await;
    app.run_jobs().await;
    let job = the_job(&app).await;
    let error = job.last_error.unwrap();
    assert_eq!(job.failed_at, Some(app.clock.now()), "{error}");
    assert!(error.contains("does not announce SMTPUTF8") && !error.contains("zoë"), "{error}");
    assert_eq!((counts(&app), old.mails_so_far().await.len()), ((0, 1), 0));
}

#[tokio::test]
async fn a_sender_that_needs_smtputf8_is_our_fault_where_that_is_missing() {
    let server = SmtpServer::start(SmtpServerOptions { smtputf8: false, ..SmtpServerOptions::default() });
    let app = TestApp::with(|config| {
        config.mail.from.address = EmailAddress::parse("zoë@example.org").unwrap();
        config.mail.transport = MailTransport::Smtp(server.policy());
    })
    .await;
    register(&app, "ada@example.com").await;
    app.run_jobs().await;
    let job = the_job(&app).await;
    let error = job.last_error.unwrap();
    assert_eq!(job.failed_at, None, "{error}");
    assert!(error.ends_with("; look at MAIL_FROM"), "{error}");
}
