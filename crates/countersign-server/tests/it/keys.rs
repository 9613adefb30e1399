use serde_json::Value;

use crate::current_database;
use crate::sandbox::{Ended, Sandbox, Server};

fn published(server: &Server) -> Vec<String> {
    let keys = server.get("/.well-known/jwks.json").ok(200);
    let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
    keys["keys"].as_array().unwrap().iter().map(kid).collect()
}

fn states(listed: &Ended) -> Vec<String> {
    let lines = listed.stdout.lines().skip(1);
    lines.map(|line| line.split_whitespace().nth(2).unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn keys_rotate_under_a_running_server_and_nobody_is_logged_out() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("ALGORITHM", "EdDSA");
    let list = || sandbox.run(&["keys", "list"]).with(0);
    assert!(list().stdout.contains("the server creates one on its first start"));
    let server = sandbox.start("serve");
    server.register("ada").ok(201);
    let token = server.token("ada");
    let first = published(&server);
    assert_eq!((first.len(), states(&list())), (1, vec!["signing".to_owned()]));

    let rotated = sandbox.run(&["keys", "rotate", "--now"]).with(0);

    let kid = rotated.stdout.split_whitespace().next().unwrap().to_owned();
    assert_eq!(states(&list()), ["superseded", "signing"]);
    server.me(&token).ok(200);
    // A token signed with the new key by another instance makes this one reload its keys immediately.
    let other = sandbox.start("serve");
    let newer = other.token("ada");
    server.me(&newer).ok(200);
    other.me(&token).ok(200);
    assert!(published(&other).contains(&kid));

    sandbox.run(&["keys", "retire", &first[0]]).with(0);
    let refused = sandbox.run(&["keys", "retire", &first[0]]).with(1);
    assert!(refused.stderr.contains("`countersign keys list` shows them"), "{}", refused.stderr);
    assert_eq!(states(&list()), ["retired", "signing"]);
    let fresh = sandbox.start("serve");
    fresh.me(&token).problem(401, "invalid_token");
    fresh.me(&newer).ok(200);
}

#[tokio::test]
async fn the_secret_key_is_replaced_by_way_of_the_previous_one() {
    let database = current_database().await;
    let old = Sandbox::with_database(database.url()).set("ALGORITHM", "ES256");
    let server = old.start("serve");
    server.register("ada").ok(201);
    let token = server.token("ada");
    let (before, after) =
        ("8f14e45fceea167a5a36dedd4bea2543c9f0f895fb98ab91", "45c48cce2e2d7fbdea1afc51c7c6ad26d3d94468");
    let sandbox =
        |secret: &str| Sandbox::with_database(database.url()).set("ALGORITHM", "ES256").set("SECRET_KEY", secret);
    let previous = old.run(&["settings"]).with(0).stdout;
    assert!(previous.contains("SECRET_KEY_PREVIOUS"), "{previous}");

    // Without the old secret, the keys in the database cannot be unsealed.
    let lost = sandbox(before).run(&["keys", "reseal"]).with(1);
    assert!(lost.stderr.contains("a signing key cannot be used"), "{}", lost.stderr);

    let secret = crate::KEY;
    let resealed = sandbox(after).set("SECRET_KEY_PREVIOUS", secret).run(&["keys", "reseal"]).with(0);
    assert!(resealed.stdout.starts_with("1 keys"), "{}", resealed.stdout);
    let replaced = sandbox(after).start("serve");
    replaced.me(&token).ok(200);
}

#[tokio::test]
async fn the_key_of_hs256_is_not_rotated() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url());
    let refused = sandbox.run(&["keys", "rotate"]).with(1);
    assert!(refused.stderr.contains("SECRET_KEY_PREVIOUS"), "{}", refused.stderr);
    assert!(sandbox.run(&["keys", "list"]).with(0).stdout.contains("HS256 signs with SECRET_KEY itself"));
}
