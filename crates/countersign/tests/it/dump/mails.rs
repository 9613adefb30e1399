//! Decides which mails are under way while a copy of the database is tried, and what a burglar would forge for them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::model::UserId;
use countersign::testing::{Caller, TestApp};
use countersign_db::on_db;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::hmac;

/// Secrets that came by mail and still work.
pub(super) struct Mailed {
    /// Of bob's password.
    pub(super) reset: String,
    /// Of the address that ada has asked for.
    pub(super) verification: String,
    /// Of ada's present address.
    pub(super) code: String,
    /// Of eve's former address.
    pub(super) undo: String,
}

/// The token of the link to this page in the newest mail to this address.
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

/// Has a secret of every purpose that a user can have sent to them.
pub(super) async fn ask_for_mails(app: &TestApp, ada: &Caller, (eve_id, eve): (UserId, &Caller)) -> Mailed {
    eve.patch(&format!("/api/users/{eve_id}"), json!({ "email": "eve@example.org" })).await.ok(200);
    ada.post("/api/users/me/email", json!({ "email": "ada@example.org" })).await.ok(202);
    for path in ["forgot-password", "resend-verification"] {
        for address in ["ada@example.com", "bob@example.com", "nobody@example.com"] {
            app.anonymous().post(&format!("/api/users/{path}"), json!({ "email": address })).await.ok(202);
        }
    }
    app.run_jobs().await;
    // Two that are never sent: to an address without an account, and one that nobody has worked on yet.
    app.anonymous().post("/api/users/forgot-password", json!({ "email": "nobody@example.com" })).await.ok(202);
    app.anonymous().post("/api/users/forgot-password", json!({ "email": "oscar@example.com" })).await.ok(202);
    Mailed {
        reset: mailed_token(app, "bob@example.com", "reset-password"),
        verification: mailed_token(app, "ada@example.org", "verify-email"),
        code: mailed_code(app, "ada@example.com"),
        undo: mailed_token(app, "eve@example.com", "undo-email-change"),
    }
}

/// Secrets of every one-time token and their codes, made as ours are but with what was found for a key, or with none.
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
        // Everything else that was found as the key, for one of them.
        for piece in pieces.iter().filter(|_| number == 0) {
            forge(&|part| hmac(piece, &message(part)));
        }
    }
    secrets
}
