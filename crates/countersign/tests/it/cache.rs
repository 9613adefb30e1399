//! The session cache, on one instance and on several.

use std::time::{Duration, Instant};

use countersign::testing::{PASSWORD, TestApp, User};
use countersign_db::on_db;
use jiff::SignedDuration;
use serde_json::json;

/// Renames all users directly in the database, without a change note, like an operator at its console.
async fn rename_behind_our_back(app: &TestApp, name: &str) {
    let mut tx = app.db().write().await.unwrap();
    on_db!(tx.conn(), c => sqlx::query("UPDATE auth_users SET username = $1").bind(name).execute(c).await.map(drop))
        .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_known_session_needs_no_database_and_without_a_cache_each_request_does() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    ada.get("/api/users/me").await.ok(200);
    rename_behind_our_back(&app, "changed").await;
    assert_eq!(ada.get("/api/users/me").await.ok(200)["username"], "ada");
    let plain = app.another_instance(|mut config| {
        config.session.cache_max = 0;
        config
    });
    let me = plain.bearer(ada.token().map(str::to_owned)).get("/api/users/me").await;
    assert_eq!(me.ok(200)["username"], "changed");
}

#[tokio::test]
async fn what_an_instance_changes_it_knows_at_once() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let path = format!("/api/users/{}", ada.id);
    ada.get("/api/users/me").await.ok(200);
    for name in ["one", "two", "three"] {
        ada.patch(&path, json!({ "username": name })).await.ok(200);
        assert_eq!(ada.get("/api/users/me").await.ok(200)["username"], name);
    }
    let other = app.anonymous().log_in(&ada.email, PASSWORD).await.ok(200);
    let other = app.bearer(other["access_token"].as_str().map(str::to_owned));
    other.get("/api/users/me").await.ok(200);
    ada.delete("/api/users/me/sessions").await.ok(200);
    other.get("/api/users/me").await.problem(401, "invalid_token");
    ada.delete(&path).await.ok(204);
    ada.get("/api/users/me").await.problem(401, "invalid_token");
}

#[tokio::test]
async fn what_one_instance_ends_another_refuses_within_a_second() {
    let app = TestApp::start().await;
    let other = app.another_instance(|config| config);
    for name in ["ada", "eve", "bob"] {
        let user = app.user(name).await;
        let elsewhere = other.bearer(user.token().map(str::to_owned));
        elsewhere.get("/api/users/me").await.ok(200);
        user.send("POST", "/api/users/logout", "application/json", "").await.ok(204);
        let ended = Instant::now();
        while elsewhere.get("/api/users/me").await.status == 200 {
            // The documented bound, plus a margin for a busy machine.
            assert!(ended.elapsed() < Duration::from_secs(2), "{name} is still in");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn when_changes_cannot_be_read_the_cache_is_not_trusted() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    ada.get("/api/users/me").await.ok(200);
    let mut tx = app.db().write().await.unwrap();
    on_db!(tx.conn(), c => sqlx::query("ALTER TABLE auth_changes RENAME TO auth_changes_away").execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    rename_behind_our_back(&app, "changed").await;
    let begun = Instant::now();
    while ada.get("/api/users/me").await.ok(200)["username"] != "changed" {
        assert!(begun.elapsed() < Duration::from_secs(2), "the cache is still used");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_instance_that_has_slept_does_not_believe_in_an_ended_session() {
    // Sleeps longer than change notes are kept, or another instance's clock is ahead for a moment.
    for clock_after in [SignedDuration::from_mins(11), SignedDuration::ZERO] {
        let app = TestApp::start().await;
        let sleeper = app.another_instance(|config| config);
        let end = async |user: &User| drop(user.post("/api/users/logout", json!({})).await.ok(204));
        // A change note that the sleeping instance has read.
        end(&app.user("bob").await).await;
        let (ada, eve) = (app.user("ada").await, app.user("eve").await);
        let elsewhere = sleeper.bearer(ada.token().map(str::to_owned));
        elsewhere.get("/api/users/me").await.ok(200);

        end(&ada).await;
        app.clock.advance(SignedDuration::from_mins(11));
        // Deletes the earlier notes before the sleeping instance reads them.
        end(&eve).await;
        app.clock.advance(clock_after - SignedDuration::from_mins(11));
        // Entries read up to a second ago are trusted, by the monotonic clock, which a test cannot advance.
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        elsewhere.get("/api/users/me").await.problem(401, "invalid_token");
    }
}
