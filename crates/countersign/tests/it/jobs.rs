//! The job queue: when jobs are tried, by which worker, and what happens on failure.

use std::collections::BTreeSet;

use countersign::config::{Config, RegistrationMode};
use countersign::mail::MailTransport;
use countersign::model::{JobId, QueuedJob};
use countersign::testing::{PASSWORD, SmtpMood, SmtpServer, SmtpServerOptions, TestApp};
use countersign_db::on_db;
use jiff::SignedDuration;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::log::Log;

fn server() -> SmtpServer {
    SmtpServer::start(SmtpServerOptions::default())
}

async fn app_sending_to(server: &SmtpServer) -> TestApp {
    TestApp::with(|config| config.mail.transport = MailTransport::Smtp(server.policy())).await
}

async fn jobs(app: &TestApp) -> Vec<QueuedJob> {
    app.accounts().list_jobs().await.unwrap()
}

/// The only job in the queue.
async fn the_job(app: &TestApp) -> QueuedJob {
    let jobs = jobs(app).await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs[0].clone()
}

async fn count(app: &TestApp, table: &str) -> i64 {
    let statement = format!("SELECT count(*) FROM {table}");
    let mut read = app.db().read().await.unwrap();
    on_db!(read.conn(), c => sqlx::query_scalar(AssertSqlSafe(statement.clone())).fetch_one(c).await).unwrap()
}

async fn execute(app: &TestApp, statement: &'static str) {
    let mut tx = app.db().write().await.unwrap();
    on_db!(tx.conn(), c => sqlx::query(statement).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

async fn register(app: &TestApp, name: &str) -> u16 {
    let body = json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD });
    app.anonymous().post("/api/users", body).await.status
}

fn message_id(mail: &serde_json::Value) -> String {
    let headers = mail["headers"].as_array().unwrap();
    let header = headers.iter().find(|header| header[0] == "Message-ID").unwrap();
    header[1].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_mail_that_cannot_go_is_tried_again_after_growing_waits_until_it_goes() {
    let mut server = server();
    server.set_mood(SmtpMood::Busy);
    let app = app_sending_to(&server).await;
    assert_eq!(register(&app, "ada").await, 201);
    for attempt in 1..=12_u32 {
        assert_eq!(app.run_jobs().await, 1);
        assert_eq!(app.run_jobs().await, 0, "not before its time");
        let job = the_job(&app).await;
        let wait = job.run_at.duration_since(app.clock.now());
        let middle = SignedDuration::from_secs((1 << attempt).min(300));
        assert!(wait * 5 >= middle * 4 && wait * 5 <= middle * 6, "{attempt}: {wait:?}");
        assert_eq!((job.attempts, job.failed_at), (attempt, None));
        let error = job.last_error.unwrap();
        assert!(error.contains("451") && !error.contains("example.com"), "{error}");
        app.clock.advance(wait);
    }
    assert!(server.mails_so_far().await.is_empty());
    server.set_mood(SmtpMood::Taking);
    app.run_jobs().await;
    assert_eq!(server.next_mail().await["to"][0], "ada@example.com");
    assert!(jobs(&app).await.is_empty());
}

#[tokio::test]
async fn what_has_not_worked_for_two_days_is_given_up_and_what_is_pointless_is_dropped() {
    let server = server();
    let app = app_sending_to(&server).await;
    let ada = app.user("later").await;
    app.run_jobs().await;
    // The undo link to the previous address stays useful for a week; the verification of that address is now void.
    ada.patch(&format!("/api/users/{}", ada.id), json!({ "email": "ada@example.org" })).await.ok(200);
    for (hours, waiting) in [(0, 2), (24, 1), (23, 1)] {
        app.clock.advance(SignedDuration::from_hours(hours));
        app.run_jobs().await;
        let jobs = jobs(&app).await;
        assert_eq!(jobs.len(), waiting, "the mail that verifies is pointless when it is tried again: {jobs:?}");
        assert!(jobs.iter().all(|job| job.failed_at.is_none()), "{jobs:?}");
    }
    app.clock.advance(SignedDuration::from_hours(1));
    app.run_jobs().await;
    assert_eq!(the_job(&app).await.failed_at, Some(app.clock.now()));
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up_shown_and_tried_again_when_somebody_says_so() {
    let server = server();
    let app = app_sending_to(&server).await;
    assert_eq!(register(&app, "refused").await, 201);
    app.run_jobs().await;
    let given_up = the_job(&app).await;
    assert_eq!((given_up.attempts, given_up.failed_at), (1, Some(app.clock.now())));
    assert_eq!(given_up.kind, "send_token");
    let error = given_up.last_error.unwrap();
    assert!(error.contains("550") && !error.contains("example.com"), "{error}");
    app.clock.advance(SignedDuration::from_hours(1));
    assert_eq!(app.run_jobs().await, 0);

    let retry = async |id| app.accounts().retry_jobs(id).await.unwrap();
    let unknown: JobId = crate::UNKNOWN_ID.parse().unwrap();
    assert_eq!(retry(Some(unknown)).await, 0);
    for id in [None, Some(given_up.id)] {
        assert_eq!(retry(id).await, 1);
        let again = the_job(&app).await;
        assert_eq!((again.attempts, again.failed_at, again.run_at), (0, None, app.clock.now()));
        assert_eq!(app.run_jobs().await, 1);
        assert!(the_job(&app).await.failed_at.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_at_once_send_each_mail_once() {
    const MAILS: usize = 40;
    let server = server();
    let app = app_sending_to(&server).await;
    let other = app.another_instance(|config| sending_to(config, &server));
    for number in 0..MAILS {
        assert_eq!(register(&app, &format!("user{number}")).await, 201);
    }
    let (here, there) = tokio::join!(app.run_jobs(), other.run_jobs());
    assert_eq!(here + there, MAILS, "{here} and {there}");
    let mut ids = BTreeSet::new();
    for _ in 0..MAILS {
        ids.insert(message_id(&server.next_mail().await));
    }
    assert_eq!((ids.len(), server.mails_so_far().await.len()), (MAILS, 0));
    assert!(jobs(&app).await.is_empty());
}

fn sending_to(mut config: Config, server: &SmtpServer) -> Config {
    config.mail.transport = MailTransport::Smtp(server.policy());
    config
}

/// Waits until a worker has taken the only job.
async fn is_taken(app: &TestApp) {
    while the_job(app).await.attempts == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_somebody_was_at_who_died_is_taken_over_when_their_lease_is_over_and_not_before() {
    let mut server = server();
    server.set_mood(SmtpMood::Silent);
    let app = app_sending_to(&server).await;
    assert_eq!(register(&app, "ada").await, 201);
    #[expect(clippy::disallowed_methods, reason = "the test aborts it")]
    let dying = tokio::spawn({
        let accounts = app.accounts().clone();
        async move { accounts.run_due_jobs().await }
    });
    is_taken(&app).await;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());

    let heir = app.another_instance(|config| config);
    assert_eq!(heir.run_jobs().await, 0);
    app.clock.advance(SignedDuration::from_secs(119));
    assert_eq!(heir.run_jobs().await, 0);
    app.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(heir.run_jobs().await, 1);
    assert!(heir.mailbox().find_newest_to("ada@example.com").is_some());
    assert!(jobs(&app).await.is_empty());
}

#[tokio::test]
async fn whoever_stops_hands_back_what_they_are_at() {
    let mut server = server();
    server.set_mood(SmtpMood::Silent);
    let app = app_sending_to(&server).await;
    // Run the periodic jobs first, so that they do not run below.
    app.accounts().run_jobs(async {}).await;
    assert_eq!(register(&app, "ada").await, 201);
    let is_under_way = async {
        while jobs(&app).await.iter().any(|job| job.kind == "send_token" && job.attempts == 0) {
            tokio::task::yield_now().await;
        }
    };
    app.accounts().run_jobs(is_under_way).await;
    let handed_back = jobs(&app).await.into_iter().find(|job| job.kind == "send_token").unwrap();
    assert_eq!((handed_back.attempts, handed_back.run_at), (0, app.clock.now()));

    let heir = app.another_instance(|config| config);
    assert_eq!(heir.run_jobs().await, 1);
    assert!(heir.mailbox().find_newest_to("ada@example.com").is_some());
}

#[tokio::test]
async fn what_has_run_out_is_swept_away_and_the_sweep_comes_again() {
    let app = TestApp::start().await;
    app.user("ada").await;
    app.anonymous().post("/api/users/forgot-password", json!({ "email": "ada@example.com" })).await.ok(202);
    app.run_jobs().await;
    let tables = ["auth_sessions", "auth_one_time_tokens"];
    for (hours, left) in [(0, [1, 2]), (2, [1, 1]), (24, [1, 0]), (15 * 24, [0, 0])] {
        app.clock.advance(SignedDuration::from_hours(hours));
        app.accounts().run_jobs(async {}).await;
        assert_eq!([count(&app, tables[0]).await, count(&app, tables[1]).await], left, "after {hours} hours");
        let sweep = jobs(&app).await.into_iter().find(|job| job.kind == "sweep").expect("it comes again");
        let wait = sweep.run_at.duration_since(app.clock.now());
        assert_eq!((sweep.kind.as_str(), sweep.attempts, wait), ("sweep", 0, SignedDuration::from_mins(10)));
    }
    assert_eq!(count(&app, "auth_users").await, 1);
}

#[tokio::test]
async fn a_registration_that_is_rolled_back_promises_nothing() {
    let app = TestApp::start().await;
    assert_eq!(register(&app, "ada").await, 201);
    app.run_jobs().await;
    assert_eq!(register(&app, "ada").await, 400);
    assert_eq!((jobs(&app).await.len(), count(&app, "auth_one_time_tokens").await), (0, 1));

    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Verified).await;
    // The step after the enqueue fails.
    execute(&app, "ALTER TABLE auth_registrations RENAME TO elsewhere").await;
    assert_eq!(register(&app, "ada").await, 500);
    assert_eq!((jobs(&app).await.len(), count(&app, "auth_one_time_tokens").await), (0, 0));
    execute(&app, "ALTER TABLE elsewhere RENAME TO auth_registrations").await;
    // The enqueue itself fails, and so does the registration.
    execute(&app, "ALTER TABLE auth_jobs RENAME TO elsewhere").await;
    assert_eq!(register(&app, "ada").await, 500);
    execute(&app, "ALTER TABLE elsewhere RENAME TO auth_jobs").await;
    assert_eq!((count(&app, "auth_registrations").await, count(&app, "auth_one_time_tokens").await), (0, 0));
    assert_eq!((register(&app, "ada").await, jobs(&app).await.len()), (202, 1));
}

#[tokio::test]
async fn jobs_that_nobody_does_within_a_minute_are_told_of_at_most_once_a_minute() {
    let log = Log::listen();
    let app = TestApp::start().await;
    let warnings = || log.count("accounts.run_jobs");
    for (wait_seconds, name, expected) in
        [(0, "ada", 0), (59, "eve", 0), (1, "bob", 1), (0, "joe", 1), (59, "kim", 1), (1, "lea", 2)]
    {
        app.clock.advance(SignedDuration::from_secs(wait_seconds));
        assert_eq!(register(&app, name).await, 201);
        assert_eq!(warnings(), expected, "{name}");
    }
    // The jobs run, if only in another process: none waits longer than a minute.
    app.run_jobs().await;
    app.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(register(&app, "max").await, 201);
    assert_eq!(warnings(), 2);
    // A worker of this process is running.
    app.clock.advance(SignedDuration::from_mins(2));
    let registers = async {
        assert_eq!(register(&app, "ned").await, 201);
    };
    app.accounts().run_jobs(registers).await;
    assert_eq!(warnings(), 2);
    // The worker has ended, so the warning returns.
    assert_eq!(register(&app, "ole").await, 201);
    app.clock.advance(SignedDuration::from_mins(2));
    assert_eq!(register(&app, "pia").await, 201);
    assert_eq!(warnings(), 3);
}
