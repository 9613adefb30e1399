//! Metrics: what is counted, and that no count reveals a user.

use std::collections::BTreeMap;

use countersign::testing::{PASSWORD, TestApp};
use serde_json::json;

/// Every counter by name, without gauges of memory use.
fn figures(app: &TestApp) -> BTreeMap<String, u64> {
    let metrics = app.accounts().metrics();
    let lists = [
        ("login", metrics.logins),
        ("registration", metrics.registrations),
        ("refresh", metrics.refreshes),
        ("refusal", metrics.refusals),
        ("done", metrics.jobs_done),
        ("retried", metrics.jobs_retried),
        ("failed", metrics.jobs_failed),
        ("session", metrics.session_lookups),
    ];
    let counts = lists.into_iter().flat_map(|(list, counts)| counts.into_iter().map(move |count| (list, count)));
    let mut all: BTreeMap<_, _> = counts.map(|(list, (name, count))| (format!("{list} {name}"), count)).collect();
    all.insert("hashed".to_owned(), app.accounts().hashing_metrics().hashed.count);
    all
}

/// The counters that have increased since `before`.
fn added(app: &TestApp, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let after = figures(app).into_iter();
    let added = after.map(|(name, count)| (name.clone(), count - before.get(&name).copied().unwrap_or(0)));
    added.filter(|(_, count)| *count > 0).collect()
}

fn counts(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test]
async fn figures_do_not_tell_who_has_an_account() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let somebody = app.anonymous();
    for act in ["log in", "forgot", "resend"] {
        let mut changes = Vec::new();
        for address in ["ada@example.com", "nobody@example.com"] {
            app.run_jobs().await;
            let before = figures(&app);
            let backlog = app.accounts().job_backlog().await.unwrap();
            match act {
                "log in" => drop(somebody.log_in(address, "wrong").await.problem(401, "wrong_credentials")),
                "forgot" => {
                    drop(somebody.post("/api/users/forgot-password", json!({ "email": address })).await.ok(202));
                }
                _ => drop(somebody.post("/api/users/resend-verification", json!({ "email": address })).await.ok(202)),
            }
            let promised = app.accounts().job_backlog().await.unwrap().due - backlog.due;
            app.run_jobs().await;
            changes.push((promised, added(&app, &before)));
        }
        assert_eq!(changes[0], changes[1], "{act}");
    }
}

#[tokio::test]
async fn logins_registrations_and_refreshes_are_counted_by_how_they_end() {
    let app = TestApp::start().await;
    let before = figures(&app);
    app.user("ada").await;
    let somebody = app.anonymous();
    let again = json!({ "username": "eve", "email": "ada@example.com", "password": PASSWORD });
    somebody.post("/api/users", again).await.problem(400, "email_taken");
    somebody.log_in("ada@example.com", "wrong").await.problem(401, "wrong_credentials");
    let tokens = somebody.log_in("ada@example.com", PASSWORD).await.ok(200);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let ask = async |token: &str| {
        somebody.post_form("/api/users/token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    };
    ask(refresh).await.ok(200);
    ask(refresh).await.ok(200);
    app.clock.advance(jiff::SignedDuration::from_mins(5));
    ask(refresh).await.problem(400, "refresh_token_reused");
    ask("nonsense").await.problem(400, "invalid_refresh_token");
    let expected = counts(&[
        ("hashed", 5),
        ("login succeeded", 2),
        ("login wrong_credentials", 1),
        ("refresh exchanged", 1),
        ("refresh invalid", 1),
        ("refresh repeated", 1),
        ("refresh reused", 1),
        ("registration email_taken", 1),
        ("registration registered", 1),
    ]);
    assert_eq!(added(&app, &before), expected);
}

#[tokio::test]
async fn jobs_are_counted_and_their_backlog_is_told() {
    let app = TestApp::start().await;
    let backlog = async || app.accounts().job_backlog().await.unwrap();
    let nothing = backlog().await;
    assert_eq!((nothing.due, nothing.later, nothing.given_up, nothing.due_since), (0, 0, 0, None));
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    app.anonymous().post("/api/users", body).await.ok(201);
    let promised_at = app.clock.now();
    app.clock.advance(jiff::SignedDuration::from_secs(90));
    let promised = backlog().await;
    assert_eq!((promised.due, promised.due_since), (1, Some(promised_at)));
    let before = figures(&app);
    assert_eq!(app.run_jobs().await, 1);
    assert_eq!(added(&app, &before), counts(&[("done send_token", 1)]));
    assert_eq!(backlog().await, nothing);
}
