//! Refreshing, listing, ending and re-authenticating sessions.

use axum::body::Body;
use axum::http::Request;
use countersign::testing::{Answer, PASSWORD, TestApp, User};
use countersign_db::on_db;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{UNKNOWN_ID, faults};

const TOKEN: &str = "/api/users/token";

async fn tokens(app: &TestApp, user: &User) -> Value {
    app.anonymous().log_in(&user.email, PASSWORD).await.ok(200)
}

fn text(tokens: &Value, name: &str) -> String {
    tokens[name].as_str().expect("a text").to_owned()
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    app.anonymous().post_form(TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

async fn me(app: &TestApp, tokens: &Value) -> Answer {
    app.bearer(Some(text(tokens, "access_token"))).get("/api/users/me").await
}

/// The kinds of the failure events.
async fn refusals(app: &TestApp) -> Vec<String> {
    let mut read = app.db().read().await.unwrap();
    on_db!(read.conn(), c => sqlx::query_scalar("SELECT kind FROM auth_events WHERE outcome = 'failure'").fetch_all(c).await).unwrap()
}

#[tokio::test]
async fn a_login_brings_a_refresh_token_that_gets_new_tokens() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let first = tokens(&app, &ada).await;
    assert_eq!((&first["scope"], &first["token_type"]), (&json!("account"), &json!("bearer")));
    let answer = refresh(&app, &text(&first, "refresh_token")).await;
    let second = answer.ok(200);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(second["expires_in"], 1800);
    // The first access token stays valid until it expires: it is the same session.
    me(&app, &first).await.ok(200);
    me(&app, &second).await.ok(200);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_half_a_minute() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let first = text(&tokens(&app, &ada).await, "refresh_token");
    let second = text(&refresh(&app, &first).await.ok(200), "refresh_token");
    app.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(text(&refresh(&app, &first).await.ok(200), "refresh_token"), second);
    // A slow tab may be several exchanges behind.
    let third = text(&refresh(&app, &second).await.ok(200), "refresh_token");
    assert_eq!(text(&refresh(&app, &first).await.ok(200), "refresh_token"), second);
    assert_eq!(text(&refresh(&app, &second).await.ok(200), "refresh_token"), third);
    refresh(&app, &third).await.ok(200);
    assert!(refusals(&app).await.is_empty());
}

#[tokio::test]
async fn a_refresh_token_used_again_later_ends_the_session_for_thief_and_owner() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let first = tokens(&app, &ada).await;
    let second = refresh(&app, &text(&first, "refresh_token")).await.ok(200);
    app.clock.advance(SignedDuration::from_secs(31));

    let body = refresh(&app, &text(&first, "refresh_token")).await.problem(400, "refresh_token_reused");

    assert_eq!(body["error"], "invalid_grant");
    refresh(&app, &text(&second, "refresh_token")).await.problem(400, "invalid_refresh_token");
    me(&app, &second).await.problem(401, "invalid_token");
    assert_eq!(refusals(&app).await, ["refresh_token_reused"]);
    // Another session of the same user is unaffected.
    ada.get("/api/users/me").await.ok(200);
}

#[tokio::test]
async fn a_database_that_was_set_back_logs_nobody_out_and_still_notices_theft() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut given = vec![text(&tokens(&app, &ada).await, "refresh_token")];
    for number in 0..4 {
        given.push(text(&refresh(&app, &given[number]).await.ok(200), "refresh_token"));
        app.clock.advance(SignedDuration::from_mins(20));
    }
    // The state of the database after the first exchange, as if restored.
    let mut tx = app.db().write().await.unwrap();
    for statement in
        ["UPDATE auth_sessions SET refresh_counter = 1 WHERE refresh_counter > 1", "DELETE FROM auth_refresh_rotations"]
    {
        on_db!(tx.conn(), c => sqlx::query(statement).execute(c).await.map(drop)).unwrap();
    }
    tx.commit().await.unwrap();

    // Two tabs present the newest token at once.
    let (one, other) = tokio::join!(refresh(&app, &given[4]), refresh(&app, &given[4]));
    let next = text(&one.ok(200), "refresh_token");
    assert_eq!(text(&other.ok(200), "refresh_token"), next);
    assert!(!given.contains(&next));
    let next = text(&refresh(&app, &next).await.ok(200), "refresh_token");
    assert!(refusals(&app).await.is_empty());
    refresh(&app, &given[2]).await.problem(400, "refresh_token_reused");
    refresh(&app, &next).await.problem(400, "invalid_refresh_token");
}

#[tokio::test]
async fn a_very_old_refresh_token_is_still_recognised() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let first = tokens(&app, &ada).await;
    let mut latest = first.clone();
    for _ in 0..5 {
        latest = refresh(&app, &text(&latest, "refresh_token")).await.ok(200);
        app.clock.advance(SignedDuration::from_hours(24));
    }
    refresh(&app, &text(&first, "refresh_token")).await.problem(400, "refresh_token_reused");
    refresh(&app, &text(&latest, "refresh_token")).await.problem(400, "invalid_refresh_token");
}

#[tokio::test]
async fn of_many_tabs_that_refresh_at_once_all_get_the_same_successor() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut token = text(&tokens(&app, &ada).await, "refresh_token");
    for _ in 0..5 {
        let answers = tokio::join!(
            refresh(&app, &token),
            refresh(&app, &token),
            refresh(&app, &token),
            refresh(&app, &token),
            refresh(&app, &token),
            refresh(&app, &token),
        );
        let answers: [Answer; 6] = answers.into();
        let successors: Vec<String> = answers.iter().map(|answer| text(&answer.ok(200), "refresh_token")).collect();
        assert!(successors.iter().all(|successor| *successor == successors[0]), "{successors:?}");
        token.clone_from(&successors[0]);
    }
}

#[tokio::test]
async fn what_is_no_refresh_token_of_ours_gets_nothing() {
    let (app, other) = (TestApp::start().await, TestApp::start().await);
    let (ada, elsewhere) = (app.user("ada").await, other.user("ada").await);
    let tokens = tokens(&app, &ada).await;
    let token = text(&tokens, "refresh_token");
    let foreign = text(&self::tokens(&other, &elsewhere).await, "refresh_token");
    let mut flipped = token.clone().into_bytes();
    let place = flipped.len() - 5;
    flipped[place] = if flipped[place] == b'A' { b'B' } else { b'A' };
    for bad in [
        foreign,
        String::from_utf8(flipped).unwrap(),
        token[..70].to_owned(),
        text(&tokens, "access_token"),
        "csr_".to_owned(),
    ] {
        let body = refresh(&app, &bad).await.problem(400, "invalid_refresh_token");
        assert_eq!(
            (&body["error"], &body["detail"]),
            (&json!("invalid_grant"), &json!("Invalid or expired refresh token"))
        );
    }
    let body = app.anonymous().post_form(TOKEN, &[("grant_type", "refresh_token")]).await.ok(422);
    assert_eq!(
        (faults(&body), &body["error"]),
        (vec!["missing body.refresh_token".to_owned()], &json!("invalid_request"))
    );
    refresh(&app, &token).await.ok(200);
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_too_long_or_too_old() {
    let app = TestApp::with(|config| {
        config.session.ttl = SignedDuration::from_hours(20 * 24);
        config.session.idle_ttl = SignedDuration::from_hours(7 * 24);
    })
    .await;
    let ada = app.user("ada").await;
    let idle = text(&tokens(&app, &ada).await, "refresh_token");
    let mut used = text(&tokens(&app, &ada).await, "refresh_token");
    for day in 1..=20 {
        app.clock.advance(SignedDuration::from_hours(24));
        let answer = refresh(&app, &used).await;
        if day == 20 {
            answer.problem(400, "invalid_refresh_token");
            break;
        }
        used = text(&answer.ok(200), "refresh_token");
        if day == 7 {
            refresh(&app, &idle).await.problem(400, "invalid_refresh_token");
        }
    }
}

#[tokio::test]
async fn an_access_token_does_not_outlive_its_session() {
    let app = TestApp::with(|config| config.session.ttl = SignedDuration::from_mins(10)).await;
    let ada = app.user("ada").await;
    let tokens = tokens(&app, &ada).await;
    assert_eq!(tokens["expires_in"], 600);
    app.clock.advance(SignedDuration::from_mins(10));
    me(&app, &tokens).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_user_sees_where_they_are_logged_in_and_which_session_this_is() {
    let app = TestApp::start().await;
    let (ada, _eve) = (app.user("ada").await, app.user("eve").await);
    app.clock.advance(SignedDuration::from_mins(10));
    let login = Request::post(TOKEN)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("user-agent", format!("Difference Engine {}", "x".repeat(300)))
        .extension(axum::extract::ConnectInfo(std::net::SocketAddr::from(([192, 0, 2, 7], 4711))))
        .body(Body::from("username=ada%40example.com&password=correct+horse+battery+staple"))
        .unwrap();
    app.anonymous().send_request(login).await.ok(200);

    let list = ada.get("/api/users/me/sessions").await.ok(200);

    let sessions = list["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let (this, other) =
        if sessions[0]["current"] == true { (&sessions[0], &sessions[1]) } else { (&sessions[1], &sessions[0]) };
    assert_eq!((&this["current"], &other["current"]), (&json!(true), &json!(false)));
    assert_eq!(other["address"], "192.0.2.7");
    assert_eq!(other["user_agent"].as_str().unwrap().len(), 200);
    // This request has updated the time, because the last update was old.
    assert_eq!(this["last_seen_at"], app.clock.now().to_string());
    assert_ne!(this["created_at"], this["last_seen_at"]);
}

#[tokio::test]
async fn a_user_has_at_most_a_hundred_sessions_and_one_more_ends_the_oldest() {
    let app = TestApp::with(|config| config.session.cache_max = 0).await;
    let ada = app.user("ada").await;
    let mut logins = Vec::new();
    for _ in 0..100 {
        app.clock.advance(SignedDuration::from_secs(1));
        logins.push(tokens(&app, &ada).await);
    }
    ada.get("/api/users/me").await.problem(401, "invalid_token");
    let oldest = app.bearer(Some(text(&logins[0], "access_token")));
    let sessions = oldest.get("/api/users/me/sessions").await.ok(200)["sessions"].clone();
    assert_eq!(sessions.as_array().unwrap().len(), 100);
    // Re-authentication replaces the oldest session with a new one.
    let confirmed = oldest.post("/api/users/me/reauthenticate", json!({ "password": PASSWORD })).await.ok(200);
    me(&app, &confirmed).await.ok(200);
    me(&app, &logins[0]).await.problem(401, "invalid_token");
    me(&app, &logins[1]).await.ok(200);
}

#[tokio::test]
async fn a_session_in_use_is_noted_every_few_minutes_only() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let begun = app.clock.now().to_string();
    let seen = async || ada.get("/api/users/me/sessions").await.ok(200)["sessions"][0]["last_seen_at"].clone();
    app.clock.advance(SignedDuration::from_mins(4));
    assert_eq!(seen().await, begun);
    app.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(seen().await, app.clock.now().to_string());
}

#[tokio::test]
async fn one_session_all_others_or_this_one_can_be_ended() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let (one, two, three) = (tokens(&app, &ada).await, tokens(&app, &ada).await, tokens(&app, &ada).await);
    let list = app.bearer(Some(text(&one, "access_token"))).get("/api/users/me/sessions").await.ok(200);
    let current = list["sessions"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap();
    let path = format!("/api/users/me/sessions/{}", current["id"].as_str().unwrap());

    eve.delete(&path).await.problem(404, "session_not_found");
    me(&app, &one).await.ok(200);
    ada.delete(&path).await.ok(204);
    me(&app, &one).await.problem(401, "invalid_token");
    refresh(&app, &text(&one, "refresh_token")).await.problem(400, "invalid_refresh_token");
    ada.delete(&path).await.problem(404, "session_not_found");
    ada.delete(&format!("/api/users/me/sessions/{UNKNOWN_ID}")).await.problem(404, "session_not_found");
    assert_eq!(faults(&ada.delete("/api/users/me/sessions/x").await.ok(422)), ["uuid_parsing path.session_id"]);

    assert_eq!(ada.delete("/api/users/me/sessions").await.ok(200), json!({ "ended": 2 }));
    me(&app, &two).await.problem(401, "invalid_token");
    me(&app, &three).await.problem(401, "invalid_token");
    ada.get("/api/users/me").await.ok(200);
    eve.get("/api/users/me").await.ok(200);

    ada.send("POST", "/api/users/logout", "application/json", "").await.ok(204);
    ada.get("/api/users/me").await.problem(401, "invalid_token");
}

#[tokio::test]
async fn revoking_either_token_ends_the_session_and_revoking_anything_else_is_no_error() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let revoke = async |token: &str| app.anonymous().post_form("/api/users/token/revoke", &[("token", token)]).await;
    for name in ["refresh_token", "access_token"] {
        let tokens = tokens(&app, &ada).await;
        revoke(&text(&tokens, name)).await.ok(200);
        me(&app, &tokens).await.problem(401, "invalid_token");
        refresh(&app, &text(&tokens, "refresh_token")).await.problem(400, "invalid_refresh_token");
        revoke(&text(&tokens, name)).await.ok(200);
    }
    for nothing in ["x", "csr_x", "a.b.c"] {
        revoke(nothing).await.ok(200);
    }
    let body = app.anonymous().post_form("/api/users/token/revoke", &[]).await.ok(422);
    assert_eq!((faults(&body), &body["error"]), (vec!["missing body.token".to_owned()], &json!("invalid_request")));
    ada.get("/api/users/me").await.ok(200);
}

#[tokio::test]
async fn another_address_ends_the_other_sessions_and_another_name_does_not() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let other = tokens(&app, &ada).await;
    let path = format!("/api/users/{}", ada.id);
    ada.patch(&path, json!({ "username": "countess", "email": "ADA@example.com" })).await.ok(200);
    me(&app, &other).await.ok(200);
    ada.patch(&path, json!({ "email": "countess@example.com" })).await.ok(200);
    me(&app, &other).await.problem(401, "invalid_token");
    ada.get("/api/users/me").await.ok(200);
}

#[tokio::test]
async fn acts_that_need_a_recent_login_say_so_and_a_password_confirms() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.clock.advance(SignedDuration::from_mins(20));
    let login = tokens(&app, &ada).await;
    app.clock.advance(SignedDuration::from_mins(31));
    let refreshed = refresh(&app, &text(&login, "refresh_token")).await.ok(200);
    let ada_later = app.bearer(Some(text(&refreshed, "access_token")));
    let path = format!("/api/users/{}", ada.id);

    // A refresh does not make the login recent.
    let body =
        ada_later.patch(&path, json!({ "email": "new@example.com" })).await.problem(403, "reauthentication_required");
    assert_eq!(body["detail"], "Recent login required");
    ada_later.delete(&path).await.problem(403, "reauthentication_required");
    ada_later.patch(&path, json!({ "username": "countess" })).await.ok(200);

    let confirm = "/api/users/me/reauthenticate";
    let body = ada_later.post(confirm, json!({ "password": "another one" })).await.problem(400, "wrong_password");
    assert_eq!(body["detail"], "Current password is incorrect");
    assert_eq!(faults(&ada_later.post(confirm, json!({})).await.ok(422)), ["missing body.password"]);
    app.anonymous().post(confirm, json!({ "password": PASSWORD })).await.problem(401, "not_authenticated");
    ada_later.delete(&path).await.problem(403, "reauthentication_required");

    let confirmed = ada_later.post(confirm, json!({ "password": PASSWORD })).await.ok(200);
    let ada_confirmed = app.bearer(Some(text(&confirmed, "access_token")));
    ada_confirmed.patch(&path, json!({ "email": "new@example.com" })).await.ok(200);
    ada_confirmed.delete(&path).await.ok(204);
}

#[tokio::test]
async fn whoever_confirms_the_password_goes_on_in_a_new_session() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let login = tokens(&app, &ada).await;
    let before = app.bearer(Some(text(&login, "access_token")));
    let confirm = "/api/users/me/reauthenticate";
    let confirmed = before.post(confirm, json!({ "password": PASSWORD })).await;
    assert_eq!(confirmed.headers["cache-control"], "no-store");
    let confirmed = confirmed.ok(200);
    before.get("/api/users/me").await.problem(401, "invalid_token");
    refresh(&app, &text(&login, "refresh_token")).await.problem(400, "invalid_refresh_token");
    let refreshed = refresh(&app, &text(&confirmed, "refresh_token")).await.ok(200);
    let after = app.bearer(Some(text(&refreshed, "access_token")));
    assert_eq!(after.get("/api/users/me").await.ok(200)["username"], "ada");
    // The other session is unaffected.
    ada.get("/api/users/me").await.ok(200);
    let sessions = after.get("/api/users/me/sessions").await.ok(200)["sessions"].as_array().unwrap().len();
    assert_eq!(sessions, 2);
}

#[tokio::test]
async fn a_genuine_session_goes_on_when_its_use_cannot_be_noted() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let tokens = tokens(&app, &ada).await;
    app.clock.advance(SignedDuration::from_mins(6));
    // Another transaction holds the write lock: of the file on SQLite, of the session's row on PostgreSQL.
    let mut held = app.db().write().await.unwrap();
    on_db!(held.conn(), c => {
        sqlx::query("UPDATE auth_sessions SET last_seen_at = last_seen_at").execute(c).await.map(drop)
    })
    .unwrap();

    me(&app, &tokens).await.ok(200);

    held.roll_back().await.unwrap();
    // The skipped update is made as soon as the lock is free.
    let noted = "SELECT COUNT(*) FROM auth_sessions WHERE last_seen_at > created_at";
    while on_db!(app.db().read().await.unwrap().conn(), c => sqlx::query_scalar::<_, i64>(noted).fetch_one(c).await)
        .unwrap()
        == 0
    {
        me(&app, &tokens).await.ok(200);
    }
}
