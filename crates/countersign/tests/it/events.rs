//! Events of accounts, their retention, and hooks of a host that run in the same transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use countersign::config::{Config, RegistrationMode};
use countersign::model::{EventId, EventKind};
use countersign::testing::{PASSWORD, TestApp, User};
use countersign::{Event, HookFuture, Hooks, MIGRATIONS};
use countersign_db::testing::TempDb;
use countersign_db::{Conn, DbError, Migrations, on_db};
use jiff::SignedDuration;
use serde_json::json;
use uuid::Uuid;

use crate::token_in_mail;

/// Kind, outcome, actor's kind, whether the actor is the subject, and whether a session and an address are recorded.
type Row = (String, String, String, bool, bool, bool);

async fn events(app: &TestApp, subject: Uuid) -> Vec<Row> {
    let mut read = app.db().read().await.unwrap();
    let statement = "SELECT kind, outcome, actor_kind, COALESCE(actor_id = subject_id, FALSE), session_id IS NOT NULL, \
                     address IS NOT NULL FROM auth_events WHERE subject_id = $1 ORDER BY happened_at, kind";
    on_db!(read.conn(), c => sqlx::query_as(statement).bind(subject).fetch_all(c).await).unwrap()
}

async fn kinds(app: &TestApp, subject: Uuid) -> Vec<String> {
    events(app, subject).await.into_iter().map(|(kind, ..)| kind).collect()
}

async fn count(app: &TestApp, select: &'static str) -> i64 {
    let mut read = app.db().read().await.unwrap();
    on_db!(read.conn(), c => sqlx::query_scalar(select).fetch_one(c).await).unwrap()
}

fn second(app: &TestApp) {
    app.clock.advance(SignedDuration::from_secs(1));
}

#[tokio::test]
async fn every_act_is_recorded_with_who_did_it_and_outlives_the_user() {
    let app = TestApp::start().await;
    // The host's own code registers and logs in, so there is no address.
    let user = app.user("ada").await;
    let (ada, stranger) = (user.at("192.0.2.1"), app.anonymous().at("192.0.2.7"));
    let me = format!("/api/users/{}", user.id);
    second(&app);
    ada.patch(&me, json!({ "username": "countess" })).await.ok(200);
    second(&app);
    stranger.log_in(&user.email, PASSWORD).await.ok(200);
    second(&app);
    ada.delete("/api/users/me/sessions").await.ok(200);
    second(&app);
    let robbed = stranger.log_in(&user.email, PASSWORD).await.ok(200);
    let form = [("grant_type", "refresh_token"), ("refresh_token", robbed["refresh_token"].as_str().unwrap())];
    stranger.post_form("/api/users/token", &form).await.ok(200);
    app.clock.advance(SignedDuration::from_mins(1));
    stranger.post_form("/api/users/token", &form).await.problem(400, "refresh_token_reused");
    second(&app);
    let changed = json!({ "current_password": PASSWORD, "new_password": "another horse entirely" });
    let changed = ada.patch("/api/users/me/password", changed).await.ok(200);
    second(&app);
    let ada = app.bearer(changed["access_token"].as_str().map(str::to_owned)).at("192.0.2.1");
    ada.patch(&me, json!({ "email": "ada@example.org" })).await.ok(200);

    let own = |kind: &str, session, address| -> Row {
        (kind.to_owned(), "success".to_owned(), "user".to_owned(), true, session, address)
    };
    let reused = ("refresh_token_reused".to_owned(), "failure".to_owned(), "system".to_owned(), false, true, true);
    let before = [
        own("registered", false, false),
        own("session_begun", true, false),
        own("username_changed", true, true),
        own("session_begun", true, true),
        own("other_sessions_ended", true, true),
        own("session_begun", true, true),
        reused,
        own("password_changed", true, true),
        own("email_changed", true, true),
    ];
    assert_eq!(events(&app, user.id.uuid()).await, before);

    second(&app);
    ada.delete(&me).await.ok(204);
    assert_eq!(count(&app, "SELECT COUNT(*) FROM auth_users").await, 0);
    let after: Vec<Row> = events(&app, user.id.uuid()).await;
    let deleted = own("account_deleted", false, false);
    let expected = before.into_iter().chain([deleted]).map(|row| (row.0, row.1, row.2, row.3, row.4, false));
    assert_eq!(after, expected.collect::<Vec<_>>(), "without the places, and nothing else has changed");
    assert_eq!(count(&app, "SELECT COUNT(*) FROM auth_events WHERE user_agent IS NOT NULL").await, 0);
}

#[tokio::test]
async fn recovery_is_recorded() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.run_jobs().await;
    let token = token_in_mail(&app, "ada@example.com");
    second(&app);
    app.anonymous().post("/api/users/verify-email", json!({ "token": token })).await.ok(200);
    second(&app);
    app.anonymous().post("/api/users/forgot-password", json!({ "email": "ada@example.com" })).await.ok(202);
    app.run_jobs().await;
    let token = token_in_mail(&app, "ada@example.com");
    let body = json!({ "token": token, "new_password": "another horse entirely" });
    second(&app);
    app.anonymous().post("/api/users/reset-password", body).await.ok(200);
    second(&app);
    let login = app.anonymous().log_in("ada@example.com", "another horse entirely").await.ok(200);
    let ada_now = app.bearer(login["access_token"].as_str().map(str::to_owned));
    second(&app);
    ada_now.patch(&format!("/api/users/{}", ada.id), json!({ "email": "ada@example.org" })).await.ok(200);
    app.run_jobs().await;
    let token = token_in_mail(&app, "ada@example.com");
    second(&app);
    app.anonymous().post("/api/users/undo-email-change", json!({ "token": token })).await.ok(200);
    let expected = ["registered", "session_begun", "email_verified", "password_reset", "session_begun"];
    let expected = expected.into_iter().chain(["email_changed", "email_change_undone"]);
    assert_eq!(kinds(&app, ada.id.uuid()).await, expected.collect::<Vec<_>>());
}

async fn insert(app: &TestApp, subject: Uuid, kind: &str, number: i64) {
    let now = app.clock.now();
    let mut tx = app.db().write().await.unwrap();
    for _ in 0..number {
        app.clock.advance(SignedDuration::from_millis(1));
        let (id, at) = (EventId::new(app.clock.now()).uuid(), now.as_microsecond());
        let statement = "INSERT INTO auth_events (id, kind, subject_id, happened_at) VALUES ($1, $2, $3, $4)";
        on_db!(tx.conn(), c => {
            sqlx::query(statement).bind(id).bind(kind).bind(subject).bind(at).execute(c).await.map(drop)
        })
        .unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_newest_two_hundred_of_a_kind_are_kept_of_each_user() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    for user in [&ada, &eve] {
        insert(&app, user.id.uuid(), "session_ended", 199).await;
    }
    app.anonymous().log_in(&ada.email, PASSWORD).await.ok(200);
    insert(&app, ada.id.uuid(), "session_ended", 5).await;
    let of = async |user: &User, kind: &str| kinds(&app, user.id.uuid()).await.iter().filter(|k| *k == kind).count();
    assert_eq!(of(&ada, "session_ended").await, 200);
    assert_eq!(of(&eve, "session_ended").await, 199, "somebody else's stay");
    assert_eq!((of(&ada, "registered").await, of(&ada, "session_begun").await), (1, 2), "and those of other kinds");
}

#[tokio::test]
async fn events_of_long_ago_are_swept_away() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    insert(&app, ada.id.uuid(), "session_ended", 150).await;
    insert(&app, ada.id.uuid(), "other_sessions_ended", 150).await;
    app.clock.advance(SignedDuration::from_hours(399 * 24));
    app.anonymous().log_in(&ada.email, PASSWORD).await.ok(200);
    app.accounts().run_jobs(async {}).await;
    assert_eq!(kinds(&app, ada.id.uuid()).await.len(), 303);
    app.clock.advance(SignedDuration::from_hours(2 * 24));
    app.accounts().run_jobs(async {}).await;
    assert_eq!(kinds(&app, ada.id.uuid()).await, ["session_begun"]);
}

#[tokio::test]
async fn earlier_events_are_kept_and_the_version_before_can_go_on_writing_them() {
    let earlier: &'static Migrations =
        Box::leak(Box::new(Migrations { set: MIGRATIONS.set, steps: &MIGRATIONS.steps[..10] }));
    let db = TempDb::new(&[earlier]).await;
    let user = Uuid::from_u128(7);
    let add = async |kind: &str, id: u128| {
        let mut tx = db.db().write().await.unwrap();
        on_db!(tx.conn(), c => {
            sqlx::query(
                "INSERT INTO auth_security_events (id, user_id, kind, address, user_agent, happened_at) \
                 VALUES ($1, $2, $3, '192.0.2.1', 'Browser', 5)",
            )
            .bind(Uuid::from_u128(id)).bind(user).bind(kind).execute(c).await.map(drop)
        })
        .unwrap();
        tx.commit().await.unwrap();
    };
    let mut tx = db.db().write().await.unwrap();
    let statement = "INSERT INTO auth_users (id, username, username_key, email, password_hash, created_at, updated_at) \
                     VALUES ($1, 'ada', 'ada', 'ada', 'x', 0, 0)";
    on_db!(tx.conn(), c => sqlx::query(statement).bind(user).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    add("refresh_token_reused", 1).await;
    add("password_changed", 2).await;

    db.db().migrate(&[&MIGRATIONS]).await.unwrap();
    add("new_sign_in", 3).await;

    let mut read = db.db().read().await.unwrap();
    let statement = "SELECT kind, outcome, actor_kind, address, user_agent, happened_at FROM auth_events \
                     WHERE subject_id = $1 ORDER BY id";
    let rows: Vec<(String, String, String, String, String, i64)> =
        on_db!(read.conn(), c => sqlx::query_as(statement).bind(user).fetch_all(c).await).unwrap();
    let row = |kind: &str, outcome: &str, actor: &str| {
        let [kind, outcome, actor, address, agent] = [kind, outcome, actor, "192.0.2.1", "Browser"].map(str::to_owned);
        (kind, outcome, actor, address, agent, 5)
    };
    let expected = [
        row("refresh_token_reused", "failure", "system"),
        row("password_changed", "success", "user"),
        row("new_sign_in", "success", "system"),
    ];
    assert_eq!(rows, expected);
    let statement = "SELECT kind FROM auth_security_events WHERE id = $1";
    let id = Uuid::from_u128(3);
    let seen: String = on_db!(read.conn(), c => sqlx::query_scalar(statement).bind(id).fetch_one(c).await).unwrap();
    assert_eq!(seen, "new_sign_in", "the version before finds what its notice is about");
}

/// A hook that writes to a table of the host and fails on request.
struct Credits {
    fails: AtomicBool,
}

impl Hooks for Credits {
    fn happened<'h>(&'h self, event: &'h Event, mut conn: Conn<'h>) -> HookFuture<'h> {
        Box::pin(async move {
            let statement = "INSERT INTO told (event, kind, user_id) VALUES ($1, $2, $3)";
            let (id, kind, user) = (event.id.uuid(), event.kind.as_str(), event.subject.uuid());
            on_db!(conn.reborrow(), c => {
                sqlx::query(statement).bind(id).bind(kind).bind(user).execute(c).await.map(drop)
            })?;
            if event.kind == EventKind::AccountDeleted {
                let statement =
                    "UPDATE told SET still = (SELECT username FROM auth_users WHERE id = $1) WHERE event = $2";
                on_db!(conn, c => sqlx::query(statement).bind(user).bind(id).execute(c).await.map(drop))?;
            }
            if self.fails.load(Ordering::Relaxed) { Err(DbError::UniqueViolation) } else { Ok(()) }
        })
    }
}

async fn host(credits: &Arc<Credits>, configure: impl FnOnce(&mut Config)) -> TestApp {
    let hooks: Arc<dyn Hooks> = Arc::clone(credits) as Arc<dyn Hooks>;
    let app = TestApp::with(|config| {
        config.hooks = Some(hooks);
        configure(config);
    })
    .await;
    let mut tx = app.db().write().await.unwrap();
    let id = match tx.conn().kind() {
        countersign_db::DatabaseKind::Sqlite => "BLOB",
        countersign_db::DatabaseKind::Postgres => "UUID",
    };
    let table =
        format!("CREATE TABLE told (event {id} PRIMARY KEY, kind TEXT NOT NULL, user_id {id} NOT NULL, still TEXT)");
    on_db!(tx.conn(), c => sqlx::query(sqlx::AssertSqlSafe(table.clone())).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    app
}

/// The kinds of the events that the hook has recorded and committed.
async fn told(app: &TestApp) -> Vec<String> {
    let mut read = app.db().read().await.unwrap();
    let statement = "SELECT kind FROM told ORDER BY event";
    on_db!(read.conn(), c => sqlx::query_scalar(statement).fetch_all(c).await).unwrap()
}

#[tokio::test]
async fn a_hosts_rows_and_ours_are_committed_together() {
    let credits = Arc::new(Credits { fails: AtomicBool::new(false) });
    let app = host(&credits, |_| ()).await;
    let ada = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    let id = app.anonymous().post("/api/users", ada).await.ok(201)["id"].as_str().unwrap().to_owned();
    second(&app);
    let login = app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);
    let ada = app.bearer(login["access_token"].as_str().map(str::to_owned));
    second(&app);
    let me = format!("/api/users/{id}");
    ada.patch(&me, json!({ "email": "ada@example.org" })).await.ok(200);
    second(&app);
    ada.delete(&me).await.ok(204);
    assert_eq!(told(&app).await, ["registered", "session_begun", "email_changed", "account_deleted"]);
    let still = "SELECT COUNT(*) FROM told WHERE still = 'ada'";
    assert_eq!(count(&app, still).await, 1, "of a deletion the host hears while the account is there");
}

#[tokio::test]
async fn a_host_that_cannot_write_undoes_what_happened() {
    let credits = Arc::new(Credits { fails: AtomicBool::new(false) });
    let app = host(&credits, |_| ()).await;
    let ada = app.user("ada").await;
    let before = told(&app).await;
    let tables = "SELECT (SELECT COUNT(*) FROM auth_users) * 1000000 + (SELECT COUNT(*) FROM auth_sessions) * 10000 \
                  + (SELECT COUNT(*) FROM auth_events) * 100 + (SELECT COUNT(*) FROM auth_jobs)";
    let rows = count(&app, tables).await;
    credits.fails.store(true, Ordering::Relaxed);
    let me = format!("/api/users/{}", ada.id);
    let eve = json!({ "username": "eve", "email": "eve@example.com", "password": PASSWORD });
    app.anonymous().post("/api/users", eve).await.problem(500, "internal");
    app.anonymous().log_in(&ada.email, PASSWORD).await.problem(500, "internal");
    ada.patch(&me, json!({ "email": "ada@example.org" })).await.problem(500, "internal");
    ada.delete("/api/users/me/sessions").await.problem(500, "internal");
    ada.delete(&me).await.problem(500, "internal");
    assert_eq!((told(&app).await, count(&app, tables).await), (before, rows));
    credits.fails.store(false, Ordering::Relaxed);
    app.anonymous().log_in(&ada.email, PASSWORD).await.ok(200);
    ada.delete(&me).await.ok(204);
}

#[tokio::test]
async fn a_registration_that_waits_is_told_when_the_address_is_proven() {
    let credits = Arc::new(Credits { fails: AtomicBool::new(false) });
    let app = host(&credits, |config| config.registration.mode = RegistrationMode::Verified).await;
    let ada = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    app.anonymous().post("/api/users", ada).await.ok(202);
    app.run_jobs().await;
    assert!(told(&app).await.is_empty());
    let token = token_in_mail(&app, "ada@example.com");
    let proof = json!({ "token": token, "password": PASSWORD });
    credits.fails.store(true, Ordering::Relaxed);
    app.anonymous().post("/api/users/verify-email", proof.clone()).await.problem(500, "internal");
    credits.fails.store(false, Ordering::Relaxed);
    app.anonymous().post("/api/users/verify-email", proof).await.ok(200);
    assert_eq!(told(&app).await, ["registered"]);
}
