//! Requests that begin or continue a session race against requests that end sessions: no session of the old state
//! survives, and none of the owner's requests gets a 503.
//!
//! On PostgreSQL, where both write concurrently, every commit that touches a session is delayed. The long run:
//! `RACE_ROUNDS=200 TEST_DATABASE=postgres cargo test -p countersign --test it session_races`.

use countersign::testing::{Answer, Caller, PASSWORD, TestApp, User};
use countersign_db::{Conn, on_db};
use serde_json::{Value, json};

use crate::token_in_mail;

const NEW_PASSWORD: &str = "another horse entirely";

/// Requests of a thief, who knows the password and has a session.
const BEGINNINGS: [&str; 3] = ["log in", "reauthenticate", "refresh"];
/// Concurrent requests of the owner.
const ENDS: [&str; 8] =
    ["password", "reset", "log out others", "end one", "confirm address", "set address", "undo", "delete"];

#[expect(clippy::disallowed_methods, reason = "tests have no settings; one variable sets the length of this one")]
fn rounds() -> usize {
    std::env::var("RACE_ROUNDS").map_or(2, |rounds| rounds.parse().expect("a number"))
}

/// Delays PostgreSQL commits that write a session.
async fn hold_commits_up(app: &TestApp) {
    let mut tx = app.db().write().await.unwrap();
    if let Conn::Postgres(_) = tx.conn() {
        for statement in [
            "CREATE FUNCTION hold_up() RETURNS TRIGGER LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_sleep(0.01); RETURN NULL; END $$",
            "CREATE CONSTRAINT TRIGGER hold_up AFTER INSERT OR UPDATE OR DELETE ON auth_sessions \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold_up()",
        ] {
            on_db!(tx.conn(), c => sqlx::query(statement).execute(c).await.map(drop)).unwrap();
        }
    }
    tx.commit().await.unwrap();
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

/// A user with the owner's session, the thief's session, and what the owner's request needs.
struct Round<'a> {
    app: &'a TestApp,
    owner: User,
    email: String,
    thief: Value,
    /// Id of the thief's session.
    session: String,
    token: String,
}

impl<'a> Round<'a> {
    async fn new(app: &'a TestApp, name: &str, end: &str) -> Self {
        let mut owner = app.user(name).await;
        // So that the newest mail is the expected one.
        app.run_jobs().await;
        let mut email = format!("{name}@example.com");
        let mut token = String::new();
        if end == "undo" {
            let before = std::mem::replace(&mut email, format!("{name}.2@example.com"));
            owner.patch(&format!("/api/users/{}", owner.id), json!({ "email": email })).await.ok(200);
            app.run_jobs().await;
            token = token_in_mail(app, &before);
        }
        let thief = app.anonymous().log_in(&email, PASSWORD).await.ok(200);
        app.run_jobs().await;
        if end == "reset" {
            app.anonymous().post("/api/users/forgot-password", json!({ "email": email })).await.ok(202);
            app.run_jobs().await;
            token = token_in_mail(app, &email);
        }
        if end == "confirm address" {
            let next = format!("{name}.3@example.com");
            owner.post("/api/users/me/email", json!({ "email": next })).await.ok(202);
            app.run_jobs().await;
            token = token_in_mail(app, &next);
        }
        let sessions = owner.get("/api/users/me/sessions").await.ok(200)["sessions"].clone();
        let session = sessions.as_array().unwrap().iter().find(|session| session["current"] == false).unwrap();
        owner.email.clone_from(&email);
        Self { session: text(session, "id"), app, owner, email, thief, token }
    }

    async fn begin(&self, beginning: &str) -> Answer {
        match beginning {
            "log in" => self.app.anonymous().log_in(&self.email, PASSWORD).await,
            "reauthenticate" => {
                let thief: Caller = self.app.bearer(Some(text(&self.thief, "access_token")));
                thief.post("/api/users/me/reauthenticate", json!({ "password": PASSWORD })).await
            }
            _ => {
                let token = text(&self.thief, "refresh_token");
                let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
                self.app.anonymous().post_form("/api/users/token", &form).await
            }
        }
    }

    async fn end(&self, end: &str) -> Answer {
        let (owner, anonymous, token) = (&self.owner, self.app.anonymous(), &self.token);
        let path = format!("/api/users/{}", owner.id);
        match end {
            "password" => {
                let body = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
                owner.patch("/api/users/me/password", body).await
            }
            "reset" => {
                let body = json!({ "token": token, "new_password": NEW_PASSWORD });
                anonymous.post("/api/users/reset-password", body).await
            }
            "log out others" => owner.delete("/api/users/me/sessions").await,
            "end one" => owner.delete(&format!("/api/users/me/sessions/{}", self.session)).await,
            "confirm address" => anonymous.post("/api/users/verify-email", json!({ "token": token })).await,
            "set address" => owner.patch(&path, json!({ "email": format!("x.{}", self.email) })).await,
            "undo" => anonymous.post("/api/users/undo-email-change", json!({ "token": token })).await,
            _ => owner.delete(&path).await,
        }
    }
}

#[tokio::test]
async fn no_session_of_the_old_state_survives_what_ends_them() {
    let app = TestApp::with(|config| config.limits = None).await;
    hold_commits_up(&app).await;
    let mut survivors = Vec::new();
    for (b, beginning) in BEGINNINGS.into_iter().enumerate() {
        for (e, end) in ENDS.into_iter().enumerate() {
            // After these requests the password is unchanged, so a new login is legitimate.
            if beginning == "log in" && matches!(end, "log out others" | "end one") {
                continue;
            }
            for number in 0..rounds() {
                let round = Round::new(&app, &format!("user{b}-{e}-{number}"), end).await;
                // Alternate which one starts first.
                let (begun, ended) = if number % 2 == 0 {
                    tokio::join!(round.begin(beginning), round.end(end))
                } else {
                    let (ended, begun) = tokio::join!(round.end(end), round.begin(beginning));
                    (begun, ended)
                };
                let pair = format!("{beginning} × {end}, round {number}");
                // "end one" may find that the session has already been replaced.
                let is_done = matches!(ended.status, 200 | 204) || (end == "end one" && ended.status == 404);
                assert!(is_done, "{pair}: {} {}", ended.status, ended.text());
                assert!(begun.status < 500, "{pair}: {} {}", begun.status, begun.text());
                if begun.status != 200 || ended.status == 404 {
                    continue;
                }
                let begun = round.app.bearer(Some(text(&begun.ok(200), "access_token")));
                if begun.get("/api/users/me").await.status == 200 {
                    survivors.push(pair);
                }
            }
        }
    }
    assert!(survivors.is_empty(), "{} survive: {survivors:#?}", survivors.len());
}
