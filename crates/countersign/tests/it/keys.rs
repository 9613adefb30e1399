//! Rotation of signing keys, replacement of `SECRET_KEY`, and what other services can look up.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::config::{Config, SecretKey};
use countersign::model::{SigningAlgorithm, SigningKeyState};
use countersign::operator::{PUBLISH_AHEAD, generate_secret_key};
use countersign::testing::{Answer, PASSWORD, TestApp, cheap_config};
use countersign_db::{ReadConn, on_db};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::faults;

const TOKEN: &str = "/api/users/token";
const ASYMMETRIC: [SigningAlgorithm; 3] = [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256, SigningAlgorithm::Rs256];

async fn with_algorithm(algorithm: SigningAlgorithm) -> TestApp {
    TestApp::with(|config| config.tokens.signing_algorithm = algorithm).await
}

fn signs_with(algorithm: SigningAlgorithm) -> impl FnOnce(Config) -> Config {
    move |mut config| {
        config.tokens.signing_algorithm = algorithm;
        config
    }
}

async fn log_in(app: &TestApp) -> Value {
    app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200)
}

async fn me(app: &TestApp, tokens: &Value) -> Answer {
    app.bearer(tokens["access_token"].as_str().map(str::to_owned)).get("/api/users/me").await
}

async fn refresh(app: &TestApp, tokens: &Value) -> Answer {
    let token = tokens["refresh_token"].as_str().unwrap();
    app.anonymous().post_form(TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

fn header(tokens: &Value) -> Value {
    let part = tokens["access_token"].as_str().unwrap().split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn published(app: &TestApp) -> Vec<Value> {
    let answer = app.anonymous().get("/.well-known/jwks.json").await;
    assert_eq!(answer.headers["cache-control"], "public, max-age=300");
    answer.ok(200)["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
}

async fn states(app: &TestApp) -> Vec<SigningKeyState> {
    app.accounts().list_signing_keys().await.unwrap().into_iter().map(|key| key.state).collect()
}

#[tokio::test]
async fn every_algorithm_signs_and_publishes_its_public_key_and_all_instances_believe_it() {
    for algorithm in ASYMMETRIC {
        let app = with_algorithm(algorithm).await;
        let other = app.another_instance(signs_with(algorithm));
        app.user("ada").await;
        let tokens = log_in(&app).await;
        assert_eq!(header(&tokens)["alg"], algorithm.as_str());
        assert_eq!(published(&app).await, [header(&tokens)["kid"].clone()]);
        me(&app, &tokens).await.ok(200);
        me(&other, &tokens).await.ok(200);
        assert_eq!(header(&log_in(&other).await)["kid"], header(&tokens)["kid"], "one key for all instances");
    }
}

#[tokio::test]
async fn hs256_has_no_public_key() {
    let app = TestApp::start().await;
    assert_eq!(published(&app).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_new_key_is_published_before_it_is_used_and_the_old_one_outlives_its_last_token() {
    let app = with_algorithm(SigningAlgorithm::EdDsa).await;
    let other = app.another_instance(signs_with(SigningAlgorithm::EdDsa));
    app.user("ada").await;
    let first = log_in(&app).await;
    let old = header(&first)["kid"].clone();
    me(&other, &first).await.ok(200);

    let new = json!(app.accounts().rotate_signing_key(PUBLISH_AHEAD).await.unwrap());

    assert_eq!(states(&app).await, [SigningKeyState::Signing, SigningKeyState::Published]);
    assert_eq!(published(&app).await, [old.clone(), new.clone()]);
    app.clock.advance(SignedDuration::from_secs(6));
    assert_eq!(published(&other).await, [old.clone(), new.clone()]);
    assert_eq!(header(&log_in(&other).await)["kid"], old);

    app.clock.advance(PUBLISH_AHEAD - SignedDuration::from_secs(7));
    let last = log_in(&app).await;
    assert_eq!(header(&last)["kid"], old);
    app.clock.advance(SignedDuration::from_secs(6));
    let next = log_in(&other).await;
    assert_eq!(header(&next)["kid"], new);
    assert_eq!(states(&app).await, [SigningKeyState::Superseded, SigningKeyState::Signing]);
    for instance in [&app, &other] {
        me(instance, &first).await.ok(200);
        me(instance, &last).await.ok(200);
        me(instance, &next).await.ok(200);
    }

    app.clock.advance(SignedDuration::from_mins(30) - SignedDuration::from_secs(7));
    me(&app, &last).await.ok(200);
    app.clock.advance(SignedDuration::from_secs(20));
    me(&app, &last).await.problem(401, "invalid_token");
    assert_eq!(states(&app).await, [SigningKeyState::Expired, SigningKeyState::Signing]);
    assert_eq!(published(&app).await, [new]);
    // This logs nobody out.
    refresh(&app, &last).await.ok(200);
}

#[tokio::test]
async fn a_withdrawn_key_is_refused_and_a_new_one_takes_over() {
    let app = with_algorithm(SigningAlgorithm::Es256).await;
    let other = app.another_instance(signs_with(SigningAlgorithm::Es256));
    app.user("ada").await;
    let tokens = log_in(&app).await;
    me(&other, &tokens).await.ok(200);
    let kid = header(&tokens)["kid"].as_str().unwrap().to_owned();
    assert!(!app.accounts().retire_signing_key("nothing").await.unwrap());
    assert!(app.accounts().retire_signing_key(&kid).await.unwrap());
    me(&app, &tokens).await.problem(401, "invalid_token");
    app.clock.advance(SignedDuration::from_secs(5));
    me(&other, &tokens).await.problem(401, "invalid_token");
    let renewed = refresh(&other, &tokens).await.ok(200);
    assert_ne!(header(&renewed)["kid"], json!(kid));
    me(&app, &renewed).await.ok(200);
    assert!(!published(&app).await.contains(&json!(kid)));
}

#[tokio::test]
async fn a_published_key_takes_over_from_a_withdrawn_one() {
    let app = with_algorithm(SigningAlgorithm::Es256).await;
    app.user("ada").await;
    let signing = header(&log_in(&app).await)["kid"].as_str().unwrap().to_owned();
    let accounts = app.accounts();
    let later = accounts.rotate_signing_key(SignedDuration::from_mins(20)).await.unwrap();
    let next = accounts.rotate_signing_key(SignedDuration::from_mins(10)).await.unwrap();
    assert!(accounts.retire_signing_key(&signing).await.unwrap());
    let tokens = log_in(&app).await;
    assert_eq!(header(&tokens)["kid"], json!(next));
    me(&app, &tokens).await.ok(200);
    assert_eq!(published(&app).await, [json!(next), json!(later)]);
}

#[tokio::test]
async fn a_key_ends_also_where_hs256_signs_by_now() {
    let before = with_algorithm(SigningAlgorithm::EdDsa).await;
    before.user("ada").await;
    let tokens = log_in(&before).await;
    let old = header(&tokens)["kid"].clone();
    let back = before.another_instance(signs_with(SigningAlgorithm::Hs256));
    me(&back, &tokens).await.ok(200);
    before.clock.advance(SignedDuration::from_secs(1));
    // Superseded.
    let new = json!(before.accounts().rotate_signing_key(SignedDuration::ZERO).await.unwrap());
    before.clock.advance(SignedDuration::from_secs(5));
    let newer = log_in(&before).await;
    assert_eq!(published(&back).await, [old, new.clone()]);
    before.clock.advance(SignedDuration::from_mins(29));
    assert_eq!(published(&back).await.len(), 2);
    before.clock.advance(SignedDuration::from_secs(66));
    assert_eq!(published(&back).await, std::slice::from_ref(&new));
    // Withdrawn, by another instance.
    let fresh = log_in(&before).await;
    me(&back, &fresh).await.ok(200);
    before.accounts().retire_signing_key(new.as_str().unwrap()).await.unwrap();
    before.clock.advance(SignedDuration::from_secs(5));
    me(&back, &fresh).await.problem(401, "invalid_token");
    assert!(!published(&back).await.contains(&new));
    // This logs nobody out.
    refresh(&back, &newer).await.ok(200);
}

/// Takes all connections of an instance, so that every read waits.
async fn all_connections(app: &TestApp) -> Vec<ReadConn> {
    let mut held = Vec::new();
    for _ in 0..app.db().pool_states()[0].connections_max {
        held.push(app.db().read().await.unwrap());
    }
    held
}

fn waiting(app: &TestApp) -> u64 {
    app.db().pool_states()[0].waiting
}

#[tokio::test]
async fn one_request_reads_keys_that_are_due_and_the_others_go_on_for_half_a_minute() {
    let app = with_algorithm(SigningAlgorithm::EdDsa).await;
    assert_eq!(published(&app).await.len(), 1);
    let ask_all = || {
        let mut requests = JoinSet::new();
        for _ in 0..20 {
            let caller = app.anonymous();
            requests.spawn(async move { caller.get("/.well-known/jwks.json").await.ok(200) });
        }
        requests
    };
    let settle = async || {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    };
    for (seconds, answered) in [(34, 19), (35, 0)] {
        app.clock.advance(SignedDuration::from_secs(seconds));
        let held = all_connections(&app).await;
        let mut requests = ask_all();
        settle().await;
        let at_once = std::iter::from_fn(|| requests.try_join_next()).map(Result::unwrap).count();
        assert_eq!((at_once, waiting(&app)), (answered, 1), "after {seconds} seconds");
        drop(held);
        assert_eq!(requests.join_all().await.len(), 20 - answered);
    }
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_those_of_before_for_half_a_minute() {
    let app = with_algorithm(SigningAlgorithm::EdDsa).await;
    assert_eq!(published(&app).await.len(), 1);
    let rename = async |statement: &'static str| {
        let mut tx = app.db().write().await.unwrap();
        on_db!(tx.conn(), c => sqlx::query(statement).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
    };
    rename("ALTER TABLE auth_signing_keys RENAME TO elsewhere").await;
    app.clock.advance(SignedDuration::from_secs(34));
    assert_eq!(published(&app).await.len(), 1);
    app.clock.advance(SignedDuration::from_secs(1));
    app.anonymous().get("/.well-known/jwks.json").await.problem(500, "internal");
    rename("ALTER TABLE elsewhere RENAME TO auth_signing_keys").await;
    assert_eq!(published(&app).await.len(), 1);
}

/// The same token with another key id.
fn with_made_up_key(tokens: &Value, kid: &str) -> String {
    let (_, rest) = tokens["access_token"].as_str().unwrap().split_once('.').unwrap();
    let mut header = header(tokens);
    header["kid"] = json!(kid);
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()))
}

#[tokio::test]
async fn a_new_key_is_believed_by_everybody_at_once_even_while_made_up_keys_are_tried() {
    let app = with_algorithm(SigningAlgorithm::EdDsa).await;
    let other = app.another_instance(signs_with(SigningAlgorithm::EdDsa));
    app.user("ada").await;
    let first = log_in(&app).await;
    me(&other, &first).await.ok(200);
    // Later than the first key, but before the other instance reloads its keys anyway.
    app.clock.advance(SignedDuration::from_secs(1));
    app.accounts().rotate_signing_key(SignedDuration::ZERO).await.unwrap();
    let new = log_in(&app).await;
    assert_ne!(header(&new)["kid"], header(&first)["kid"]);

    // Many concurrent requests, mixed with made-up key ids.
    let mut requests = JoinSet::new();
    for number in 0..60 {
        let (token, status) = match number % 3 {
            0 => (with_made_up_key(&first, &format!("made-up-{number}")), 401),
            _ => (new["access_token"].as_str().unwrap().to_owned(), 200),
        };
        let caller = other.bearer(Some(token));
        requests.spawn(async move { (caller.get("/api/users/me").await.status, status) });
    }
    while let Some(answered) = requests.join_next().await {
        let (status, expected) = answered.unwrap();
        assert_eq!(status, expected);
    }
}

#[tokio::test]
async fn made_up_keys_have_the_database_asked_once_a_second() {
    let app = with_algorithm(SigningAlgorithm::EdDsa).await;
    app.user("ada").await;
    let tokens = log_in(&app).await;
    me(&app, &tokens).await.ok(200);
    app.bearer(Some(with_made_up_key(&tokens, "first"))).get("/api/users/me").await.problem(401, "invalid_token");
    let begun = Instant::now();
    let mut requests = JoinSet::new();
    for number in 0..40 {
        let caller = app.bearer(Some(with_made_up_key(&tokens, &format!("made-up-{number}"))));
        requests.spawn(async move { caller.get("/api/users/me").await.problem(401, "invalid_token") });
    }
    requests.join_all().await;
    // All waited for a single reload, the next one that was allowed.
    let waited = begun.elapsed();
    assert!(waited > Duration::from_millis(800) && waited < Duration::from_secs(10), "{waited:?}");
    // A token with a known key does not wait.
    me(&app, &tokens).await.ok(200);
}

#[tokio::test]
async fn a_change_of_algorithm_logs_nobody_out() {
    let before = TestApp::start().await;
    before.user("ada").await;
    let mut tokens = vec![log_in(&before).await];
    for algorithm in ASYMMETRIC {
        let app = before.another_instance(signs_with(algorithm));
        tokens.push(log_in(&app).await);
        for tokens in &tokens {
            me(&app, tokens).await.ok(200);
        }
    }
    let back = before.another_instance(signs_with(SigningAlgorithm::Hs256));
    for tokens in &tokens {
        me(&back, tokens).await.ok(200);
        refresh(&back, tokens).await.ok(200);
    }
}

/// The configuration of an instance after the secret was replaced.
fn replaced(new: &SecretKey, algorithm: SigningAlgorithm) -> impl FnOnce(Config) -> Config {
    let new = new.clone();
    move |old| {
        let mut config = cheap_config(new);
        config.add_previous_secret_key(old.secret_keys()[0].clone());
        config.tokens.signing_algorithm = algorithm;
        config
    }
}

#[tokio::test]
async fn replacing_the_secret_key_logs_nobody_out() {
    for algorithm in [SigningAlgorithm::Hs256, SigningAlgorithm::EdDsa] {
        let before = with_algorithm(algorithm).await;
        before.user("ada").await;
        let tokens = log_in(&before).await;
        let new = generate_secret_key();
        let after = before.another_instance(replaced(&new, algorithm));

        me(&after, &tokens).await.ok(200);
        let refreshed = refresh(&after, &tokens).await.ok(200);
        me(&after, &refreshed).await.ok(200);

        // After all secrets are resealed and all sessions refreshed, the old secret is no longer needed.
        let expected = usize::from(algorithm != SigningAlgorithm::Hs256);
        assert_eq!(after.accounts().reseal_secrets().await.unwrap(), expected);
        assert_eq!(after.accounts().reseal_secrets().await.unwrap(), 0);
        let alone = before.another_instance(|_| {
            let mut config = cheap_config(new.clone());
            config.tokens.signing_algorithm = algorithm;
            config
        });
        me(&alone, &refreshed).await.ok(200);
        refresh(&alone, &refreshed).await.ok(200);
    }
}

#[tokio::test]
async fn without_the_old_secret_what_it_signed_is_refused() {
    let before = TestApp::start().await;
    before.user("ada").await;
    let tokens = log_in(&before).await;
    let after = before.another_instance(|_| cheap_config(generate_secret_key()));
    me(&after, &tokens).await.problem(401, "invalid_token");
    refresh(&after, &tokens).await.problem(400, "invalid_refresh_token");
}

#[tokio::test]
async fn a_signing_key_that_cannot_be_opened_is_not_used() {
    let before = with_algorithm(SigningAlgorithm::EdDsa).await;
    before.user("ada").await;
    let tokens = log_in(&before).await;
    let after = before.another_instance(|_| {
        let mut config = cheap_config(generate_secret_key());
        config.tokens.signing_algorithm = SigningAlgorithm::EdDsa;
        config
    });
    me(&after, &tokens).await.problem(500, "internal");
    assert!(after.accounts().reseal_secrets().await.is_err());
    me(&before, &tokens).await.ok(200);
}

#[tokio::test]
async fn other_services_can_ask_about_tokens_if_they_have_the_secret() {
    let asker = generate_secret_key();
    let app = TestApp::with(|config| config.tokens.introspection_secret = Some(asker.clone())).await;
    let ada = app.user("ada").await;
    let tokens = log_in(&app).await;
    let ask = async |secret: Option<&str>, token: &str| {
        let caller = app.bearer(secret.map(str::to_owned));
        caller.post_form("/api/users/token/introspect", &[("token", token)]).await
    };
    let secret = Some(asker.expose());
    for name in ["access_token", "refresh_token"] {
        let answer = ask(secret, tokens[name].as_str().unwrap()).await;
        let body = answer.ok(200);
        assert_eq!(
            (&body["active"], &body["token_type"], &body["username"]),
            (&json!(true), &json!(name), &json!("ada"))
        );
        assert_eq!((&body["sub"], &body["scope"]), (&json!(ada.id.to_string()), &json!("account")));
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    assert_eq!(ask(secret, "x").await.ok(200), json!({ "active": false }));
    refresh(&app, &tokens).await.ok(200);
    assert_eq!(ask(secret, tokens["refresh_token"].as_str().unwrap()).await.ok(200), json!({ "active": false }));
    app.anonymous()
        .post_form("/api/users/token/revoke", &[("token", tokens["access_token"].as_str().unwrap())])
        .await
        .ok(200);
    assert_eq!(ask(secret, tokens["access_token"].as_str().unwrap()).await.ok(200), json!({ "active": false }));

    ask(None, "x").await.problem(401, "not_authenticated");
    assert_eq!(ask(Some("guess"), "x").await.problem(401, "invalid_token")["error"], "invalid_client");
    ask(ada.token(), "x").await.problem(401, "invalid_token");
    let body = app.bearer(secret.map(str::to_owned)).post_form("/api/users/token/introspect", &[]).await.ok(422);
    assert_eq!(faults(&body), ["missing body.token"]);
    // Without a configured secret, no secret is accepted.
    let closed = TestApp::start().await;
    closed.bearer(Some(String::new())).post_form("/api/users/token/introspect", &[("token", "x")]).await.ok(401);
}

#[tokio::test]
async fn the_metadata_say_where_everything_is() {
    let app = TestApp::with(|config| {
        config.public_url = "https://accounts.example.org".parse().unwrap();
        config.tokens.issuer = config.public_url.to_string();
    })
    .await;
    let metadata = app.anonymous().get("/.well-known/oauth-authorization-server").await.ok(200);
    assert_eq!(metadata["issuer"], "https://accounts.example.org");
    let to_ask = &metadata["introspection_endpoint_auth_methods_supported"];
    assert_eq!(to_ask, &json!(["client_secret_basic", "Bearer"]));
    for name in ["token_endpoint", "revocation_endpoint", "introspection_endpoint", "jwks_uri"] {
        let path = metadata[name].as_str().unwrap().strip_prefix("https://accounts.example.org").unwrap();
        let answer = app.anonymous().send("OPTIONS", path, "text/plain", "").await;
        assert_eq!(answer.status, 405, "{name} exists, for other methods");
    }
}
