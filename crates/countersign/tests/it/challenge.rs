//! Proofs of work: when they are required, and that each is accepted only once.

use std::num::NonZeroUsize;
use std::time::Duration;

use countersign::config::{ChallengeWhen, Config, HashParameters};
use countersign::testing::{Answer, PASSWORD, TestApp};
use countersign_db::on_db;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinSet;

const BITS: u8 = 8;

fn always(config: &mut Config) {
    config.challenge.when = ChallengeWhen::Always;
    config.challenge.bits = BITS;
}

/// Solves a challenge from a response as `docs/api.md` describes.
fn solve(challenge: &Value) -> String {
    let (text, bits) =
        (challenge["challenge"].as_str().expect("a text"), challenge["bits"].as_u64().expect("a number"));
    assert_eq!(challenge["algorithm"], "sha-256");
    let is_right = |solution: &String| {
        let digest = Sha256::digest(solution);
        u64::from(u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]).leading_zeros()) >= bits
    };
    (0..1_000_000).map(|number: u32| format!("{text}:{number}")).find(is_right).expect("a million tries for a few bits")
}

async fn challenge(app: &TestApp, purpose: &str) -> Value {
    app.anonymous().get(&format!("/api/challenge?for={purpose}")).await.ok(200)
}

async fn register(app: &TestApp, name: &str, solution: Option<&str>) -> Answer {
    let email = format!("{name}@example.com");
    let mut body = json!({ "username": name, "email": email, "password": PASSWORD });
    if let Some(solution) = solution {
        body["challenge_solution"] = solution.into();
    }
    app.anonymous().post("/api/users", body).await
}

async fn forgot(app: &TestApp, address: &str, solution: Option<&str>) -> Answer {
    let body = match solution {
        Some(solution) => json!({ "email": address, "challenge_solution": solution }),
        None => json!({ "email": address }),
    };
    app.anonymous().post("/api/users/forgot-password", body).await
}

#[track_caller]
fn refused(answer: &Answer, detail: &str) -> Value {
    let problem = answer.problem(403, "challenge_required");
    assert_eq!(problem["detail"], detail);
    problem["challenge"].clone()
}

async fn spent(app: &TestApp) -> i64 {
    let mut read = app.db().read().await.unwrap();
    on_db!(read.conn(), c => sqlx::query_scalar("SELECT COUNT(*) FROM auth_spent_challenges").fetch_one(c).await)
        .unwrap()
}

#[tokio::test]
async fn a_solution_works_once() {
    let app = TestApp::with(always).await;
    let asked = refused(&register(&app, "ada", None).await, "A proof of work is required");
    assert_eq!((asked["bits"].as_u64(), asked["expires_in"].as_i64()), (Some(BITS.into()), Some(300)));
    let solution = solve(&asked);
    register(&app, "ada", Some(&solution)).await.ok(201);
    let next = refused(&register(&app, "eve", Some(&solution)).await, "The proof of work was used before");
    assert_ne!(next["challenge"], asked["challenge"]);
    register(&app, "eve", Some(&solve(&next))).await.ok(201);
}

#[tokio::test]
async fn a_solution_counts_once_whatever_becomes_of_the_act() {
    let app = TestApp::with(always).await;
    register(&app, "ada", Some(&solve(&challenge(&app, "register").await))).await.ok(201);
    let solution = solve(&challenge(&app, "register").await);
    register(&app, "ada", Some(&solution)).await.problem(400, "username_taken");
    refused(&register(&app, "eve", Some(&solution)).await, "The proof of work was used before");
    // An invalid registration does not spend the solution.
    let solution = solve(&challenge(&app, "register").await);
    register(&app, "e@ve", Some(&solution)).await.ok(422);
    register(&app, "eve", Some(&solution)).await.ok(201);
}

#[tokio::test]
async fn of_two_who_present_one_solution_at_once_one_wins() {
    let app = TestApp::with(always).await;
    for round in 0..5 {
        let solution = solve(&challenge(&app, "register").await);
        let (ada, eve) = (format!("ada{round}"), format!("eve{round}"));
        let (one, other) = tokio::join!(register(&app, &ada, Some(&solution)), register(&app, &eve, Some(&solution)));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 403], "{} {}", one.text(), other.text());
    }
}

#[tokio::test]
async fn a_solution_counts_for_its_act_its_time_and_its_work_alone() {
    let app = TestApp::with(always).await;
    let wrong = "The proof of work is wrong";
    let of_another_act = solve(&challenge(&app, "forgot-password").await);
    refused(&register(&app, "ada", Some(&of_another_act)).await, wrong);
    refused(&forgot(&app, "ada@example.com", Some(&solve(&challenge(&app, "register").await))).await, wrong);
    for no_solution in ["", "1", "a:1", ":", &format!("{}:x", challenge(&app, "register").await["challenge"])] {
        refused(&register(&app, "ada", Some(no_solution)).await, wrong);
    }
    let mut changed = challenge(&app, "register").await;
    let text = changed["challenge"].as_str().unwrap();
    changed["challenge"] =
        if text.starts_with('A') { text.replacen('A', "B", 1) } else { format!("A{}", &text[1..]) }.into();
    refused(&register(&app, "ada", Some(&solve(&changed))).await, wrong);
    // Fewer bits than are required by now, and more.
    let of_less = solve(&challenge(&app, "register").await);
    let dearer = app.another_instance(|mut config| {
        always(&mut config);
        config.challenge.bits = BITS + 1;
        config
    });
    refused(&register(&dearer, "ada", Some(&of_less)).await, wrong);
    register(&app, "ada", Some(&solve(&challenge(&dearer, "register").await))).await.ok(201);

    let late = solve(&challenge(&app, "register").await);
    let in_time = solve(&challenge(&app, "register").await);
    app.clock.advance(SignedDuration::from_secs(299));
    register(&app, "bob", Some(&in_time)).await.ok(201);
    app.clock.advance(SignedDuration::from_secs(1));
    refused(&register(&app, "eve", Some(&late)).await, "The proof of work comes too late");
}

#[tokio::test]
async fn a_forgotten_password_takes_work_too_and_tells_nobody_apart() {
    let app = TestApp::with(always).await;
    register(&app, "ada", Some(&solve(&challenge(&app, "register").await))).await.ok(201);
    let mut answers = Vec::new();
    for address in ["ada@example.com", "nobody@example.com"] {
        let asked = refused(&forgot(&app, address, None).await, "A proof of work is required");
        let solution = solve(&asked);
        let answer = forgot(&app, address, Some(&solution)).await;
        answer.ok(202);
        answers.push(answer.body);
        refused(&forgot(&app, address, Some(&solution)).await, "The proof of work was used before");
    }
    assert_eq!(answers[0], answers[1]);
    app.run_jobs().await;
    assert!(app.mailbox().find_newest_to("ada@example.com").is_some());
}

#[tokio::test]
async fn a_challenge_can_be_had_before_and_nothing_is_kept_of_it() {
    let app = TestApp::with(always).await;
    let answer = app.anonymous().get("/api/challenge?for=register").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_ne!(answer.ok(200)["challenge"], challenge(&app, "register").await["challenge"]);
    assert_eq!(spent(&app).await, 0);
    for query in ["", "?for=", "?for=login", "?for=register&for=register"] {
        app.anonymous().get(&format!("/api/challenge{query}")).await.problem(422, "invalid_fields");
    }
}

#[tokio::test]
async fn where_it_is_off_nothing_is_asked() {
    let app = TestApp::start().await;
    register(&app, "ada", None).await.ok(201);
    register(&app, "eve", Some("whatever")).await.ok(201);
    forgot(&app, "ada@example.com", None).await.ok(202);
    assert_eq!(spent(&app).await, 0);
    for path in ["/register", "/forgot-password"] {
        assert!(!app.browser().open(path).await.text().contains("data-challenge"), "{path}");
    }
}

#[tokio::test]
async fn under_load_work_is_asked_for_and_otherwise_not() {
    let app = TestApp::with(|config| {
        config.challenge.when = ChallengeWhen::UnderLoad;
        config.challenge.bits = BITS;
        // Costs that are slow even on a fast machine, one hash at a time.
        config.password.hash_parameters = HashParameters::new(65_536, 8, 4).unwrap();
        config.hashing.threads = NonZeroUsize::MIN;
        config.hashing.queue_max = 8;
    })
    .await;
    register(&app, "ada", None).await.ok(201);
    let mut crowd = JoinSet::new();
    for _ in 0..4 {
        let guesser = app.anonymous();
        crowd.spawn(async move { guesser.log_in("nobody@example.com", "a guess").await.status });
    }
    let waiting = async {
        while app.accounts().hashing_metrics().queued < 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("three of four are waiting");
    let asked = refused(&register(&app, "eve", None).await, "A proof of work is required");
    refused(&forgot(&app, "ada@example.com", None).await, "A proof of work is required");
    assert_eq!(crowd.join_all().await, [401; 4]);
    // A solution that is no longer required is not spent.
    let solution = solve(&asked);
    register(&app, "eve", Some(&solution)).await.ok(201);
    assert_eq!(spent(&app).await, 0);
}

#[tokio::test]
async fn forms_bring_the_work_along_and_say_when_it_is_missing() {
    let app = TestApp::with(always).await;
    let attribute = |page: &Answer, name: &str| {
        let text = page.text();
        let (_, rest) = text.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("{name}: {text}"));
        rest.split('"').next().unwrap().to_owned()
    };
    let solved = |page: &Answer| {
        let bits: u64 = attribute(page, "data-bits").parse().unwrap();
        solve(&json!({ "challenge": attribute(page, "data-challenge"), "bits": bits, "algorithm": "sha-256" }))
    };
    let browser = app.browser();
    let page = browser.open("/register").await;
    assert!(page.text().contains("<noscript>") && page.text().contains("This form needs JavaScript"));
    assert_eq!(attribute(&page, "data-expires"), "300");
    let mut fields = vec![("username", "ada"), ("email", "ada@example.com"), ("password", PASSWORD)];
    let page = browser.submit("/register", &fields).await;
    assert_eq!(page.status, 403);
    assert!(page.text().contains("The calculation that your browser had to do was missing"), "{}", page.text());
    let solution = solved(&page);
    fields.push(("challenge_solution", &solution));
    assert_eq!(browser.submit("/register", &fields).await.status, 303);

    let stranger = app.browser();
    let page = stranger.submit("/forgot-password", &[("email", "ada@example.com")]).await;
    assert_eq!(page.status, 403);
    let solution = solved(&page);
    let fields = [("email", "ada@example.com"), ("challenge_solution", solution.as_str())];
    assert_eq!(stranger.submit("/forgot-password", &fields).await.status, 303);
    let german = app.browser();
    german.set_cookie("language", "de");
    assert!(german.open("/forgot-password").await.text().contains("Dieses Formular braucht JavaScript"));
}

#[tokio::test]
async fn used_challenges_are_swept_away_when_they_have_run_out() {
    let app = TestApp::with(always).await;
    register(&app, "ada", Some(&solve(&challenge(&app, "register").await))).await.ok(201);
    for (seconds, left) in [(299, 1), (601, 0)] {
        app.clock.advance(SignedDuration::from_secs(seconds));
        app.accounts().run_jobs(async {}).await;
        assert_eq!(spent(&app).await, left, "after {seconds} seconds more");
    }
}
