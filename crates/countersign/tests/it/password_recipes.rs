//! A wrong password costs the same number of hashes for an account with an old recipe, a current one, or no account.
//! `bench/logins` measures their duration.

use countersign::config::HashParameters;
use countersign::testing::{PASSWORD, TestApp, User};
use countersign_db::on_db;
use jiff::SignedDuration;
use uuid::Uuid;

const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01232";
const PBKDF2: &str = "pbkdf2_sha256$1200$saltsaltsalt$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

async fn set_hash(app: &TestApp, user: &User, hash: &str) {
    let id: Uuid = user.id.to_string().parse().unwrap();
    let mut tx = app.db().write().await.unwrap();
    on_db!(tx.conn(), c => {
        sqlx::query("UPDATE auth_users SET password_hash = $2 WHERE id = $1").bind(id).bind(hash).execute(c).await.map(drop)
    })
    .unwrap();
    tx.commit().await.unwrap();
}

/// Number of hashes that a login with a wrong password computes.
async fn hashes(app: &TestApp, address: &str) -> u64 {
    let before = app.accounts().hashing_metrics().hashed.count;
    app.anonymous().log_in(address, "not the password").await.problem(401, "wrong_credentials");
    app.accounts().hashing_metrics().hashed.count - before
}

/// Runs what the worker of an instance does at its start.
async fn start_worker(app: &TestApp) {
    app.accounts().run_jobs(async {}).await;
}

#[tokio::test]
async fn a_wrong_password_costs_the_hashes_of_all_recipes_in_use_whoever_is_meant() {
    let app = TestApp::start().await;
    let (ada, bob) = (app.user("ada").await, app.user("bob").await);
    app.user("eve").await;
    assert_eq!(hashes(&app, "nobody@example.com").await, 1);
    set_hash(&app, &ada, BCRYPT).await;
    set_hash(&app, &bob, PBKDF2).await;
    start_worker(&app).await;
    for address in ["nobody@example.com", &ada.email, &bob.email, "eve@example.com"] {
        assert_eq!(hashes(&app, address).await, 3, "{address}");
    }
    // A correct password costs only its own hash.
    let before = app.accounts().hashing_metrics().hashed.count;
    app.anonymous().log_in("eve@example.com", PASSWORD).await.ok(200);
    assert_eq!(app.accounts().hashing_metrics().hashed.count - before, 1);
}

#[tokio::test]
async fn a_recipe_that_no_hash_has_any_more_costs_nothing_from_the_next_day_on() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    set_hash(&app, &ada, BCRYPT).await;
    start_worker(&app).await;
    set_hash(&app, &ada, "!").await;
    start_worker(&app).await;
    assert_eq!(hashes(&app, "nobody@example.com").await, 2, "it is looked up once a day");
    app.clock.advance(SignedDuration::from_hours(25));
    start_worker(&app).await;
    for address in ["nobody@example.com", &ada.email] {
        assert_eq!(hashes(&app, address).await, 1, "{address}");
    }
}

#[tokio::test]
async fn raised_costs_are_told_by_nobodys_login_from_the_start_of_the_next_instance_on() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    start_worker(&app).await;
    let raised = app.another_instance(|mut config| {
        config.password.hash_parameters = HashParameters::new(64, 1, 1).unwrap();
        config
    });
    start_worker(&raised).await;
    for address in ["nobody@example.com", &ada.email] {
        assert_eq!(hashes(&raised, address).await, 2, "{address}");
    }
}

#[tokio::test]
async fn a_recipe_that_was_written_meanwhile_is_noted_at_the_first_login_that_meets_it() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    start_worker(&app).await;
    set_hash(&app, &ada, BCRYPT).await;
    assert_eq!(hashes(&app, &ada.email).await, 2);
    assert_eq!(hashes(&app, "nobody@example.com").await, 2);
}
