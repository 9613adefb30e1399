//! Tests of the accounts through the real router and the host's API, on the database that `TEST_DATABASE` names.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod accounts;
mod asvs;
mod cache;
mod challenge;
mod clocks;
mod contract_mail;
mod cookies;
mod devices;
mod directions;
mod dump;
mod emails;
mod events;
mod figures;
mod foreign_cookies;
mod inventories;
mod jobs;
mod keys;
mod limits;
mod log;
mod look_alikes;
mod mail_servers;
mod migrations;
mod neutral;
mod never_logged;
mod pages;
mod parsers;
mod password_managers;
mod password_recipes;
mod pasted;
mod pictures;
mod proxies;
mod races;
mod recovery;
mod recurring_jobs;
mod redirects;
mod refresh_model;
mod refresh_stress;
mod requests;
mod s3;
mod schema;
mod session_races;
mod sessions;
mod smtp;
mod stay;
mod strangers;
mod sweeps;
mod tidy;
mod token;
mod users;
mod voids;

use countersign::testing::TestApp;
use serde_json::Value;

/// A well-formed id that does not exist.
const UNKNOWN_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// The errors of a 422 as `type place.field`.
fn faults(body: &Value) -> Vec<String> {
    let items = body["detail"].as_array().expect("a list of faults");
    let place = |item: &Value| {
        let parts = item["loc"].as_array().expect("a list").iter().map(|part| part.as_str().expect("a text"));
        parts.collect::<Vec<_>>().join(".")
    };
    items.iter().map(|item| format!("{} {}", item["type"].as_str().expect("a type"), place(item))).collect()
}

/// Returns the token in the link of the newest mail to `address`.
fn token_in_mail(app: &TestApp, address: &str) -> String {
    let mail = app.mailbox().find_newest_to(address).unwrap_or_else(|| panic!("no mail to {address}"));
    let (_, rest) = mail.text.split_once("token=").expect("a link with a token");
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect()
}

/// Verifies an address with the newest mail to it.
async fn confirm(app: &TestApp, address: &str) {
    let proof = serde_json::json!({ "token": token_in_mail(app, address) });
    app.anonymous().post("/api/users/verify-email", proof).await.ok(200);
}

/// Returns the six-digit code in the newest mail to `address`.
fn code_in_mail(app: &TestApp, address: &str) -> String {
    let mail = app.mailbox().find_newest_to(address).expect("a mail");
    let mut words = mail.text.split(|c: char| !c.is_ascii_digit());
    words.find(|word| word.len() == 6).expect("a code").to_owned()
}
