//! The mailed secrets of the dump test: which are pending, and what an attacker would forge for them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::model::UserId;
use countersign::testing::{Caller, TestApp};
use countersign_db::on_db;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::hmac;

/// Mailed secrets that are still valid.
pub(super) struct Mailed {
    /// Resets bob's password.
    pub(super) reset: String,
    /// Verifies the new address that ada has requested.
    pub(super) verification: String,
    /// Verifies ada's current address.
    pub(super) code: String,
    /// Undoes eve's change of address.
    pub(super) undo: String,
}

/// Returns the token of the link to `page` in the newest mail to `address`.
fn mailed_token(app: &TestApp, address: &str, page: &str) -> String {
    let mails = app.mailbox().list();
    let mut links = mails.iter().filter(|mail| mail.to.as_str() == address).filter_map(|mail| {
        let (_, token) = mail.text.split_once(&format!("/{page}?token="))?;
        token.split_whitespace().next().map(str::to_owned)
    });
    links.next().unwrap_or_else(|| panic!("no link to {page} for {address}"))
}

fn mailed_code(app: &TestApp, address: &str) -> String {
    let mails = app.mailbox().list();
    let mut codes = mails.iter().filter(|mail| mail.to.as_str() == address).filter_map(|mail| {
        mail.text.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6).map(str::to_owned)
    });
    codes.next().expect("a mail with a code")
}

/// Requests a secret of every purpose that a user can request by mail.
pub(super) async fn ask_for_mails(app: &TestApp, ada: &Caller, (eve_id, eve): (UserId, &Caller)) -> Mailed {
    eve.patch(&format!("/api/users/{eve_id}"), json!({ "email": "eve@example.org" })).await.ok(200);
    ada.post("/api/users/me/email", json!({ "email": "ada@example.org" })).await.ok(202);
    for path in ["forgot-password", "resend-verification"] {
        for address in ["ada@example.com", "bob@example.com", "nobody@example.com"] {
            app.anonymous().post(&format!("/api/users/{path}"), json!({ "email": address })).await.ok(202);
        }
    }
    app.run_jobs().await;
    // Two mails that are never sent: one for an unknown address, and one whose job has not run yet.
    app.anonymous().post("/api/users/forgot-password", json!({ "email": "nobody@example.com" })).await.ok(202);
    app.anonymous().post("/api/users/forgot-password", json!({ "email": "oscar@example.com" })).await.ok(202);
    Mailed {
        reset: mailed_token(app, "bob@example.com", "reset-password"),
        verification: mailed_token(app, "ada@example.org", "verify-email"),
        code: mailed_code(app, "ada@example.com"),
        undo: mailed_token(app, "eve@example.com", "undo-email-change"),
    }
}

/// Secrets and codes for every one-time token, built like genuine ones but keyed with each piece, or without a key.
pub(super) async fn forged_secrets_of_mails(app: &TestApp, pieces: &BTreeSet<Vec<u8>>) -> Vec<(String, String)> {
    let rows: Vec<(uuid::Uuid, Vec<u8>)> = {
        let mut read = app.db().read().await.unwrap();
        let statement = "SELECT id, salt FROM auth_one_time_tokens";
        on_db!(read.conn(), c => sqlx::query_as(statement).fetch_all(c).await).unwrap()
    };
    assert!(rows.len() >= 6, "{} secrets are pending", rows.len());
    let mut secrets = Vec::new();
    for (number, (id, salt)) in rows.iter().enumerate() {
        let mut forge = |mac: &dyn Fn(u8) -> Vec<u8>| {
            let digits = u64::from_be_bytes(mac(1)[..8].try_into().expect("8 bytes")) % 1_000_000;
            secrets.push((URL_SAFE_NO_PAD.encode(mac(0)), format!("{digits:06}")));
        };
        let message = |part: u8| [&[part][..], id.as_bytes(), salt].concat();
        forge(&|part| Sha256::digest(message(part)).to_vec());
        for key in [&[][..], salt, id.as_bytes()] {
            forge(&|part| hmac(key, &message(part)));
        }
        // Every other piece as the key, for one of them.
        for piece in pieces.iter().filter(|_| number == 0) {
            forge(&|part| hmac(piece, &message(part)));
        }
    }
    secrets
}
