//! A copy of the database does not let an attacker in: every value in it is tried at every endpoint.

mod mails;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use countersign::config::SecretKey;
use countersign::model::SigningAlgorithm;
use countersign::operator::generate_secret_key;
use countersign::testing::{PASSWORD, TestApp, User};
use countersign_db::testing::{database_under_test, is_pooled};
use countersign_db::{Conn, DatabaseKind, on_db};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::SignedDuration;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::AssertSqlSafe;

use self::mails::{Mailed, ask_for_mails, forged_secrets_of_mails};

const TOKEN: &str = "/api/users/token";
/// Offsets at which values are split: secrets are often an id, a salt or a seed with something before or after it.
const PIECES: [usize; 3] = [16, 24, 32];

/// A service with a busy history, and one pair of tokens that is still valid.
struct Life {
    app: TestApp,
    introspection_secret: SecretKey,
    ada: User,
    tokens: Value,
    cookie: String,
    /// Mailed secrets that are still valid.
    mailed: Mailed,
}

async fn refresh(app: &TestApp, token: &str) -> Value {
    let answer = app.anonymous().post_form(TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await;
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn text<'v>(tokens: &'v Value, name: &str) -> &'v str {
    tokens[name].as_str().expect("a text")
}

async fn busy_life() -> Life {
    let introspection_secret = generate_secret_key();
    let app = TestApp::with(|config| {
        // An attacker with unlimited time.
        config.limits = None;
        config.tokens.signing_algorithm = SigningAlgorithm::EdDsa;
        config.tokens.introspection_secret = Some(introspection_secret.clone());
    })
    .await;
    let ada = app.user("ada").await;
    let eve = app.user("eve").await;
    for name in ["bob", "oscar", "mallory"] {
        let user = app.user(name).await;
        for password in ["guess", "a better guess"] {
            app.anonymous().log_in(&user.email, password).await.problem(401, "wrong_credentials");
        }
        // One ended session, one whose refresh token is reused, one that continues.
        let log_in = async || app.anonymous().log_in(&user.email, PASSWORD).await.ok(200);
        let (ended, robbed, kept) = (log_in().await, log_in().await, log_in().await);
        app.anonymous().post_form("/api/users/token/revoke", &[("token", text(&ended, "refresh_token"))]).await.ok(200);
        refresh(&app, text(&robbed, "refresh_token")).await;
        app.clock.advance(SignedDuration::from_mins(1));
        let reused = refresh(&app, text(&robbed, "refresh_token")).await;
        assert_eq!(reused["code"], "refresh_token_reused");
        refresh(&app, text(&kept, "refresh_token")).await;
        user.patch(&format!("/api/users/{}", user.id), json!({ "username": format!("{name}2") })).await.ok(200);
        if name == "mallory" {
            user.delete(&format!("/api/users/{}", user.id)).await.ok(204);
        }
    }
    app.accounts().rotate_signing_key(SignedDuration::ZERO).await.unwrap();
    app.clock.advance(SignedDuration::from_secs(6));
    let login = app.anonymous().log_in(&ada.email, PASSWORD).await.ok(200);
    let tokens = refresh(&app, text(&login, "refresh_token")).await;
    let body = json!({ "username": ada.email, "password": PASSWORD });
    let cookie = app.anonymous().post("/api/users/login", body).await.headers["set-cookie"].clone();
    let (cookie, _) = cookie.to_str().expect("text").split_once(';').expect("attributes");
    let login = app.anonymous().log_in(&eve.email, PASSWORD).await.ok(200);
    let (eve_id, eve_now) = (eve.id, app.bearer(Some(text_of(&login).to_owned())));
    let mailed = ask_for_mails(&app, &app.bearer(Some(text_of(&tokens).to_owned())), (eve_id, &eve_now)).await;
    Life { app, introspection_secret, tokens, cookie: cookie.to_owned(), mailed, ada }
}

/// Reads every column of every table and view as bytes; the database renders them in hexadecimal.
async fn dump(conn: Conn<'_>) -> BTreeSet<Vec<u8>> {
    let mut conn = conn;
    let (catalogue, is_sqlite) = match conn.kind() {
        DatabaseKind::Sqlite => (
            "SELECT tables.name, columns.name, lower(columns.type) \
             FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns \
             WHERE tables.type IN ('table', 'view')",
            true,
        ),
        DatabaseKind::Postgres => (
            "SELECT table_name::text, column_name::text, data_type::text \
             FROM information_schema.columns WHERE table_schema = current_schema()",
            false,
        ),
    };
    let columns: Vec<(String, String, String)> =
        on_db!(conn.reborrow(), c => sqlx::query_as(catalogue).fetch_all(c).await).expect("a catalogue");
    let tables: BTreeSet<&str> = columns.iter().map(|(table, ..)| table.as_str()).collect();
    for table in ["auth_users", "auth_sessions", "auth_refresh_rotations", "auth_events", "auth_signing_keys"]
        .into_iter()
        .chain(["auth_one_time_tokens", "auth_jobs"])
    {
        assert!(tables.contains(table), "{tables:?}");
    }
    let mut values = BTreeSet::new();
    for (table, column, holds) in &columns {
        let in_hexadecimal = match (is_sqlite, holds.as_str()) {
            (true, _) => format!("lower(hex(CAST(\"{column}\" AS BLOB)))"),
            (false, "bytea") => format!("encode(\"{column}\", 'hex')"),
            (false, "uuid") => format!("encode(uuid_send(\"{column}\"), 'hex')"),
            (false, _) => format!("encode(convert_to(\"{column}\"::text, 'UTF8'), 'hex')"),
        };
        let statement = format!("SELECT {in_hexadecimal} FROM \"{table}\" WHERE \"{column}\" IS NOT NULL");
        let found: Vec<String> =
            on_db!(conn.reborrow(), c => sqlx::query_scalar(AssertSqlSafe(statement.clone())).fetch_all(c).await)
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
        values.extend(found.iter().map(|found| unhexed(found)));
    }
    values
}

fn unhexed(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<u32> = hexadecimal.chars().map(|digit| digit.to_digit(16).expect("hexadecimal")).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect()
}

fn hexed(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

/// Each value, its decoded parts, and pieces of both.
fn pieces(values: &BTreeSet<Vec<u8>>) -> BTreeSet<Vec<u8>> {
    let mut whole: BTreeSet<Vec<u8>> = values.clone();
    for value in values {
        for part in value.split(|byte| b"$.:,=@".contains(byte)) {
            whole.insert(part.to_vec());
            whole.extend(STANDARD_NO_PAD.decode(part).ok());
            whole.extend(URL_SAFE_NO_PAD.decode(part).ok());
        }
    }
    let mut pieces = whole.clone();
    for value in &whole {
        for length in PIECES.into_iter().filter(|length| *length < value.len()) {
            pieces.insert(value[..length].to_vec());
            pieces.insert(value[value.len() - length..].to_vec());
            pieces.insert(value[length..].to_vec());
        }
    }
    pieces.remove(&Vec::new());
    pieces
}

/// Texts an attacker could send: the value as text, and its usual encodings.
fn candidates(pieces: &BTreeSet<Vec<u8>>) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for bytes in pieces {
        texts.extend(String::from_utf8(bytes.clone()).ok().filter(|text| !text.contains(char::is_control)));
        texts.extend([hexed(bytes), hexed(bytes).to_uppercase()]);
        texts.extend([STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)]);
        texts.extend(uuid::Uuid::from_slice(bytes).ok().map(|id| id.to_string()));
    }
    texts
}

/// Tries endpoints and counts the attempts.
struct Burglar<'l> {
    life: &'l Life,
    attempts: usize,
    codes: usize,
    successes: Vec<String>,
}

impl Burglar<'_> {
    fn note(&mut self, door: &str, with: &str, is_in: bool) {
        self.attempts += 1;
        if is_in {
            self.successes.push(format!("{door}: {with}"));
        }
    }

    async fn as_access_token(&mut self, token: &str) {
        // A header allows only visible ASCII.
        if token.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            let answer = self.life.app.bearer(Some(token.to_owned())).get("/api/users/me").await;
            self.note("access token", token, answer.status != 401);
        }
    }

    async fn as_refresh_token(&mut self, token: &str) {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        let answer = self.life.app.anonymous().post_form(TOKEN, &form).await;
        let is_refused = answer.status == 400 && answer.text().contains("\"invalid_refresh_token\"");
        self.note("refresh token", token, !is_refused);
    }

    /// It is not accepted as the introspection secret, and as the token it is inactive.
    async fn at_introspection(&mut self, text: &str) {
        let path = "/api/users/token/introspect";
        let life = self.life;
        let real = text_of(&life.tokens);
        if text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let asker = life.app.bearer(Some(text.to_owned()));
            let answer = asker.post_form(path, &[("token", real)]).await;
            self.note("introspection secret", text, answer.status != 401);
        }
        let asker = life.app.bearer(Some(life.introspection_secret.expose().to_owned()));
        let body = asker.post_form(path, &[("token", text)]).await.ok(200);
        self.note("introspected token", text, body != json!({ "active": false }));
    }

    async fn as_session_cookie(&mut self, text: &str) {
        // A header allows only visible ASCII, and a semicolon ends a cookie.
        if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';') {
            let request = with_cookie(&format!("__Host-session={text}; session={text}"));
            let answer = self.life.app.anonymous().send_request(request).await;
            self.note("session cookie", text, answer.status != 401);
        }
    }

    async fn at_revocation(&mut self, token: &str) {
        // Revocation answers 200 for any text. Whether a session has ended is checked at the end.
        self.life.app.anonymous().post_form("/api/users/token/revoke", &[("token", token)]).await.ok(200);
        self.attempts += 1;
    }

    async fn as_secret_of_a_mail(&mut self, text: &str) {
        let app = &self.life.app;
        for (door, body, refusal) in [
            ("reset-password", json!({ "token": text, "new_password": "a burglar's horse" }), "invalid_reset_token"),
            ("verify-email", json!({ "token": text }), "invalid_verification"),
            ("undo-email-change", json!({ "token": text }), "invalid_verification"),
        ] {
            let answer = app.anonymous().post(&format!("/api/users/{door}"), body).await;
            let is_refused = answer.status == 400 && answer.text().contains(&format!("\"{refusal}\""));
            self.note(door, text, !is_refused);
        }
    }

    /// Tries a code any number of times: the attempts are reset before the limit.
    async fn as_code(&mut self, text: &str) {
        const TRIES: usize = 4;
        let app = &self.life.app;
        if self.codes.is_multiple_of(TRIES) {
            let mut tx = app.db().write().await.unwrap();
            let statement = "UPDATE auth_one_time_tokens SET attempts = 0";
            on_db!(tx.conn(), c => sqlx::query(statement).execute(c).await.map(drop)).unwrap();
            tx.commit().await.unwrap();
        }
        self.codes += 1;
        for address in ["ada@example.com", "ada@example.org"] {
            let body = json!({ "email": address, "code": text });
            let answer = app.anonymous().post("/api/users/verify-email", body).await;
            let is_refused = match answer.status {
                400 => answer.text().contains("\"invalid_verification\""),
                // It is not six digits.
                status => status == 422,
            };
            self.note("code", text, !is_refused);
        }
    }

    async fn as_password(&mut self, password: &str) {
        let answer = self.life.app.anonymous().log_in(&self.life.ada.email, password).await;
        self.note("password", password, answer.status != 401);
    }
}

fn with_cookie(cookie: &str) -> Request<Body> {
    let request = Request::get("/api/users/me").header("host", "localhost").header("cookie", cookie);
    request.body(Body::empty()).expect("a request")
}

fn text_of(tokens: &Value) -> &str {
    text(tokens, "access_token")
}

/// The ids of all sessions.
async fn sessions(app: &TestApp) -> BTreeSet<Vec<u8>> {
    let mut read = app.db().read().await.unwrap();
    let ids: Vec<uuid::Uuid> =
        on_db!(read.conn(), c => sqlx::query_scalar("SELECT id FROM auth_sessions").fetch_all(c).await).unwrap();
    ids.into_iter().map(|id| id.as_bytes().to_vec()).collect()
}

/// Access tokens signed with each piece as the key, under every possible key id.
fn forged_access_tokens(life: &Life, pieces: &BTreeSet<Vec<u8>>) -> Vec<String> {
    let real = text_of(&life.tokens);
    let part = |n: usize| -> Value {
        let part = real.split('.').nth(n).expect("three parts");
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    };
    let (claims, kid) = (part(1), part(0)["kid"].as_str().expect("a text").to_owned());
    let header = |algorithm| {
        let mut header = Header::new(algorithm);
        (header.typ, header.kid) = (Some("at+jwt".to_owned()), Some(kid.clone()));
        header
    };
    let sign = |algorithm, key: &EncodingKey| jsonwebtoken::encode(&header(algorithm), &claims, key).ok();
    let mut tokens = Vec::new();
    for piece in pieces {
        tokens.extend(sign(Algorithm::HS256, &EncodingKey::from_secret(piece)));
        // Any 32 bytes can be the seed of an Ed25519 key (RFC 8410, section 7).
        for seed in piece.windows(32) {
            let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
            tokens.extend(sign(Algorithm::EdDSA, &EncodingKey::from_ed_der(&[&prefix[..], seed].concat())));
        }
    }
    let unsigned = json!({ "alg": "none", "typ": "at+jwt", "kid": kid });
    let encoded = [unsigned, claims.clone()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    tokens.push(format!("{}.{}.", encoded[0], encoded[1]));
    tokens
}

/// Cookies for every session, built like genuine ones but keyed with each piece, or without a key.
async fn forged_session_cookies(life: &Life, pieces: &BTreeSet<Vec<u8>>) -> Vec<String> {
    let rows: Vec<(uuid::Uuid, Vec<u8>)> = {
        let mut read = life.app.db().read().await.unwrap();
        let statement = "SELECT id, salt FROM auth_sessions";
        on_db!(read.conn(), c => sqlx::query_as(statement).fetch_all(c).await).unwrap()
    };
    let mut cookies = Vec::new();
    for (id, salt) in &rows {
        let message = [id.as_bytes(), &[0; 8][..], salt].concat();
        let mut forge = |mac: &[u8]| cookies.push(URL_SAFE_NO_PAD.encode([id.as_bytes(), mac].concat()));
        forge(salt);
        forge(&[0; 32]);
        forge(&Sha256::digest(&message));
        forge(&hmac(&[], &message));
        for piece in pieces {
            forge(&hmac(piece, &message));
            if piece.len() == 32 {
                forge(piece);
            }
        }
    }
    cookies
}

/// Refresh tokens for every session and the numbers around the valid one, built like genuine ones but keyed with each
/// piece, or without a key.
async fn forged_refresh_tokens(life: &Life, pieces: &BTreeSet<Vec<u8>>) -> Vec<String> {
    let rows: Vec<(uuid::Uuid, Vec<u8>, i64)> = {
        let mut read = life.app.db().read().await.unwrap();
        let statement = "SELECT id, salt, refresh_counter FROM auth_sessions";
        on_db!(read.conn(), c => sqlx::query_as(statement).fetch_all(c).await).unwrap()
    };
    let mut tokens = Vec::new();
    let mut forge = |id: &uuid::Uuid, counter: i64, mac: &[u8]| {
        let bytes = [id.as_bytes(), &counter.to_be_bytes()[..], mac].concat();
        tokens.push(format!("csr_{}", URL_SAFE_NO_PAD.encode(bytes)));
    };
    for (id, salt, valid) in &rows {
        for counter in [*valid, valid + 1, (valid - 1).max(0)] {
            let message = [id.as_bytes(), &counter.to_be_bytes()[..], salt].concat();
            forge(id, counter, &Sha256::digest(&message));
            forge(id, counter, salt);
            forge(id, counter, &[0; 32]);
            for key in [&[][..], salt, id.as_bytes()] {
                forge(id, counter, &hmac(key, &message));
            }
        }
    }
    // Every other piece as the key, for one session.
    let (id, salt, valid) = &rows[0];
    let message = [id.as_bytes(), &valid.to_be_bytes()[..], salt].concat();
    for piece in pieces {
        forge(id, *valid, &hmac(piece, &message));
        if piece.len() == 32 {
            forge(id, *valid, piece);
        }
    }
    tokens
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

/// Checks that genuine secrets are accepted, so that a refusal means something.
async fn assert_that_what_is_good_gets_in(life: &Life) {
    let app = &life.app;
    app.bearer(Some(text_of(&life.tokens).to_owned())).get("/api/users/me").await.ok(200);
    app.anonymous().send_request(with_cookie(&life.cookie)).await.ok(200);
    let asker = app.bearer(Some(life.introspection_secret.expose().to_owned()));
    let form = [("token", text(&life.tokens, "refresh_token"))];
    assert_eq!(asker.post_form("/api/users/token/introspect", &form).await.ok(200)["active"], true);
    let post = async |path: &str, body: Value| {
        app.anonymous().post(&format!("/api/users/{path}"), body).await.ok(200);
    };
    let Mailed { reset, verification, code, undo } = &life.mailed;
    post("verify-email", json!({ "email": "ada@example.com", "code": code })).await;
    post("undo-email-change", json!({ "token": undo })).await;
    post("verify-email", json!({ "token": verification })).await;
    post("reset-password", json!({ "token": reset, "new_password": "another horse entirely" })).await;
}

#[tokio::test]
async fn nothing_in_a_copy_of_the_database_gets_anybody_in() {
    let life = busy_life().await;
    let found = dump(life.app.db().read().await.unwrap().conn()).await;
    let sessions_before = sessions(&life.app).await;
    assert!(sessions_before.len() >= 4 && found.is_superset(&sessions_before), "{} sessions", sessions_before.len());
    assert!(found.contains(life.ada.email.as_bytes()), "the dump has the texts too");
    // The tables hold the same everywhere, so the run on SQLite tries all pieces, and the others a sample.
    let one_of = match database_under_test() {
        DatabaseKind::Sqlite => 1,
        DatabaseKind::Postgres if is_pooled() => 16,
        DatabaseKind::Postgres => 4,
    };
    let pieces: BTreeSet<Vec<u8>> = pieces(&found).into_iter().step_by(one_of).collect();
    let mut burglar = Burglar { life: &life, attempts: 0, codes: 0, successes: Vec::new() };
    for text in &candidates(&pieces) {
        burglar.as_access_token(text).await;
        burglar.as_session_cookie(text).await;
        for token in [text.clone(), format!("csr_{text}")] {
            burglar.as_refresh_token(&token).await;
            burglar.at_revocation(&token).await;
        }
        burglar.as_secret_of_a_mail(text).await;
        burglar.as_code(text).await;
        burglar.at_introspection(text).await;
        burglar.as_password(text).await;
    }
    let tried_as_it_is = burglar.attempts;

    for token in forged_access_tokens(&life, &pieces) {
        burglar.as_access_token(&token).await;
    }
    for cookie in forged_session_cookies(&life, &pieces).await {
        burglar.as_session_cookie(&cookie).await;
    }
    for token in forged_refresh_tokens(&life, &pieces).await {
        burglar.as_refresh_token(&token).await;
        burglar.at_revocation(&token).await;
    }

    for (token, code) in forged_secrets_of_mails(&life.app, &pieces).await {
        burglar.as_secret_of_a_mail(&token).await;
        burglar.as_code(&code).await;
    }

    let Burglar { attempts, successes, .. } = burglar;
    println!("{} values, {attempts} attempts", found.len());
    assert_eq!(successes, Vec::<String>::new());
    let enough = tried_as_it_is * one_of >= 5_000 && (attempts - tried_as_it_is) * one_of >= 500;
    assert!(enough, "{tried_as_it_is} of {attempts} attempts");
    assert_eq!(sessions(&life.app).await, sessions_before, "a session was ended");
    assert_that_what_is_good_gets_in(&life).await;
}
