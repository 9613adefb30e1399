//! The command `doctor`: what passes, what warns, and what fails with its remedy.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use countersign::Accounts;
use countersign::config::{Config, HashParameters};
use countersign::operator::generate_secret_key;
use countersign::testing::{ManualClock, SmtpServer, SmtpServerOptions};
use countersign_db::testing::{LoneServer, PoolMode, TempDb, database_under_test, own_address};
use countersign_db::{DatabaseKind, on_db};
use serde_json::json;
use tower::ServiceExt as _;

use crate::client::login_form;
use crate::sandbox::{Ended, Sandbox};
use crate::{EmptyPlace, KEY, PASSWORD, current_database, older_database};

/// Returns the lines with this verdict.
fn lines<'e>(ended: &'e Ended, verdict: &str) -> Vec<&'e str> {
    let lines = ended.stdout.lines().filter_map(|line| line.strip_prefix(verdict)?.strip_prefix(' '));
    lines.map(str::trim_start).collect()
}

#[tokio::test]
async fn a_fit_installation_has_nothing_but_ok_lines() {
    let place = EmptyPlace::new().await;
    let mail = SmtpServer::start(SmtpServerOptions::default());
    let sandbox = Sandbox::new()
        .set("DATABASE_URL", &place.url)
        .set("FRONTEND_URL", "https://accounts.example.org")
        .set("MAIL_PORT", mail.port())
        .set("MAIL_USE_TLS", "false");
    sandbox.run(&["secret", "--write-env"]).with(0);
    sandbox.run(&["migrate", "up"]).with(0);
    let ended = sandbox.run(&["doctor"]).with(0);
    let good = lines(&ended, "ok");
    assert_eq!(good.len(), ended.stdout.lines().count(), "{}", ended.stdout);
    for subject in
        ["settings:", "secret:", "site:", "network:", "files: .env", "pictures:", "mail:", "database:", "clock:"]
    {
        assert!(good.iter().any(|line| line.starts_with(subject)), "{subject}\n{}", ended.stdout);
    }
    for outcome in ["answers", "can be written", "the schema is current"] {
        assert!(good.iter().any(|line| line.starts_with("database:") && line.contains(outcome)), "{}", ended.stdout);
    }
    assert_eq!(ended.stderr, "");
}

#[tokio::test]
async fn a_missing_key_fails_with_the_command_that_makes_one() {
    let database = current_database().await;
    let ended = Sandbox::with_database(database.url()).unset("SECRET_KEY").run(&["doctor"]).with(1);
    let bad = lines(&ended, "fail");
    assert_eq!(bad.len(), 1, "{}", ended.stdout);
    assert!(bad[0].contains("SECRET_KEY is not set; `countersign secret --write-env` makes one"), "{}", bad[0]);
    assert_eq!(lines(&ended, "warn"), ["database: not checked until the settings are valid"]);
}

#[tokio::test]
async fn a_missing_address_of_the_site_fails_and_one_that_others_cannot_use_is_a_warning() {
    let database = current_database().await;
    let doctor = |site: &str| Sandbox::with_database(database.url()).set("FRONTEND_URL", site).run(&["doctor"]);
    let ended = doctor("").with(1);
    let bad = lines(&ended, "fail");
    assert_eq!(bad.len(), 1, "{}", ended.stdout);
    assert!(
        bad[0].contains("FRONTEND_URL is not set") && bad[0].contains("https://accounts.example.org"),
        "{}",
        bad[0]
    );

    let with = |site: &str, start: &str| {
        let ended = doctor(site).with(0);
        let warnings = lines(&ended, "warn");
        warnings.iter().find(|line| line.starts_with(start)).map(|line| (*line).to_owned())
    };
    let local = with("http://localhost:8000", "site:").unwrap();
    assert!(local.contains("only this machine"), "{local}");
    assert_eq!(with("http://localhost:8000", "network:"), None);
    let plain = with("http://nas.example:8000", "network:").unwrap();
    for words in ["FRONTEND_URL is http://nas.example:8000", "nobody stays logged in", "TLS_CERT_FILE"] {
        assert!(plain.contains(words), "{plain}");
    }
    for start in ["site:", "network:"] {
        assert_eq!(with("https://accounts.example.org", start), None);
    }
}

#[test]
fn an_unreachable_database_fails_without_its_password() {
    // Port 1 is reserved and nothing listens there.
    let sandbox = Sandbox::with_database("postgres://ada:hunter2@127.0.0.1:1/app");
    let ended = sandbox.run(&["doctor"]).with(1);
    let bad = lines(&ended, "fail");
    assert_eq!(bad.len(), 1, "{}", ended.stdout);
    assert!(bad[0].starts_with("database:"), "{}", bad[0]);
    assert!(bad[0].ends_with("check DATABASE_URL and that the server is running"), "{}", bad[0]);
    assert!(!ended.all().contains("hunter2") && !ended.all().contains(KEY), "{}", ended.all());
}

/// Runs `doctor` and returns the only line that fails.
fn refusal(url: &str) -> String {
    let ended = Sandbox::with_database(url).run(&["doctor"]).with(1);
    let bad = lines(&ended, "fail");
    assert_eq!(bad.len(), 1, "{}", ended.stdout);
    assert!(!ended.all().contains("hunter2"), "{}", ended.all());
    bad[0].to_owned()
}

#[tokio::test]
async fn what_is_wrong_with_the_way_to_postgresql_is_told_in_one_line_with_what_to_do() {
    if database_under_test() == DatabaseKind::Sqlite {
        return; // it has no connection to test
    }
    let address = own_address();
    let signed = rcgen::generate_simple_self_signed([address.to_string()]).unwrap();
    let (certificate, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
    let who = "local all all trust\nhostssl all ada all scram-sha-256\n";
    let files = [("pg_hba.conf", who), ("server.pem", certificate.as_str()), ("server.key", key.as_str())];
    let settings = ["ssl=on", "ssl_cert_file=../server.pem", "ssl_key_file=../server.key"];
    let server = LoneServer::on_network(address, &files, &settings);
    server.execute("CREATE ROLE ada LOGIN PASSWORD 'pencil'").await;
    let ada = server.network_url("ada:pencil");
    for (url, remedy) in [
        (server.network_url("ada:hunter2"), "check the user and the password in DATABASE_URL"),
        (format!("{ada}?sslmode=disable"), "the server requires TLS: add sslmode=require to DATABASE_URL"),
        (format!("{ada}?sslmode=verify-full"), "and sslrootcert to its CA's certificate"),
        (ada.replace("/postgres", "/missing"), "create the database on the server, such as with `createdb`"),
        ("postgres://ada:hunter2@db.invalid/app".to_owned(), "check DATABASE_URL and that the server is running"),
    ] {
        let line = refusal(&url);
        assert!(line.starts_with("database: ") && line.contains(remedy), "{line}");
    }
    let pooler = LoneServer::behind_pooler(PoolMode::Transaction, "");
    let line = refusal(&pooler.url());
    assert!(line.starts_with("database: the database is behind a pooler in transaction mode: say so"), "{line}");
    let told = Sandbox::with_database(&pooler.url()).set("DATABASE_POOLER", "transaction").run(&["doctor"]).with(1);
    assert!(lines(&told, "fail")[0].contains("run `countersign migrate up`"), "{}", told.stdout);
    assert!(lines(&told, "ok").contains(&"database: can be written"), "{}", told.stdout);
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_told_from_one_that_is_not_there() {
    if database_under_test() == DatabaseKind::Sqlite {
        return; // it has no standby
    }
    let database = current_database().await;
    let mut tx = database.db().write().await.unwrap();
    let alter = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$";
    on_db!(tx.conn(), c => sqlx::query(alter).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    let line = refusal(database.server_url());
    assert!(line.starts_with("database: ") && line.contains("it is read-only, such as a standby"), "{line}");
}

#[test]
fn a_missing_sqlite_file_fails_with_the_command_that_makes_it() {
    let sandbox = Sandbox::with_database("sqlite:missing.db");
    let ended = sandbox.run(&["doctor"]).with(1);
    let bad = lines(&ended, "fail");
    assert_eq!(bad, ["database: there is no database at sqlite:missing.db yet; `countersign migrate up` creates it"]);
    assert!(sandbox.names().is_empty(), "{:?}", sandbox.names());
}

#[tokio::test]
async fn a_pending_migration_fails_with_the_command_that_applies_it() {
    for database in [older_database().await, TempDb::new(&[]).await] {
        let ended = Sandbox::with_database(database.url()).run(&["doctor"]).with(1);
        let bad = lines(&ended, "fail");
        assert_eq!(bad.len(), 1, "{}", ended.stdout);
        assert!(bad[0].contains("run `countersign migrate up`"), "{}", bad[0]);
        assert!(lines(&ended, "ok").contains(&"database: can be written"), "{}", ended.stdout);
    }
}

#[tokio::test]
async fn a_dot_env_that_everybody_can_read_is_a_warning() {
    let database = current_database().await;
    let sandbox =
        Sandbox::with_database(database.url()).unset("SECRET_KEY").file(".env", &format!("SECRET_KEY={KEY}\n"));
    for (mode, warned) in [(0o644, true), (0o604, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(sandbox.path(".env"), Permissions::from_mode(mode)).unwrap();
        let ended = sandbox.run(&["doctor"]).with(0);
        let warning = "files: every user of this machine can read .env; run `chmod 600 .env`";
        assert_eq!(lines(&ended, "warn").contains(&warning), warned, "{mode:o}\n{}", ended.stdout);
    }
}

#[tokio::test]
async fn slips_and_an_open_network_without_encryption_are_warnings() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("HOST", "0.0.0.0").set("PORTS", 8000);
    let ended = sandbox.run(&["doctor"]).with(0);
    let warnings = lines(&ended, "warn");
    assert!(warnings.iter().any(|line| line.contains("did you mean PORT?")), "{}", ended.stdout);
    assert!(warnings.iter().any(|line| line.contains("HOST=0.0.0.0 is open to other machines")), "{}", ended.stdout);

    let sandbox = sandbox.unset("PORTS").set("FRONTEND_URL", "https://accounts.example.org");
    let ended = sandbox.run(&["doctor"]).with(0);
    // A mail server may or may not respond here.
    let aside = |line: &&str| line.starts_with("files:") || line.starts_with("mail:");
    assert!(lines(&ended, "warn").iter().all(aside), "{}", ended.stdout);
}

#[tokio::test]
async fn what_browsers_are_told_is_said_and_that_they_are_told_nothing_is_a_warning() {
    let database = current_database().await;
    let doctor = |days: &str, site: &str| {
        let sandbox = Sandbox::with_database(database.url()).set("FRONTEND_URL", site).set("HSTS_DAYS", days);
        sandbox.set("CORS_ORIGINS", "https://app.example.org").run(&["doctor"]).with(0)
    };
    let about = |ended: &Ended, verdict: &str| {
        lines(ended, verdict)
            .into_iter()
            .filter(|line| line.starts_with("browsers:"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let shared = "browsers: pages of https://app.example.org may use the API with access tokens";
    let ended = doctor("30", "https://accounts.example.org");
    assert_eq!(about(&ended, "ok"), ["browsers: they insist on https for 30 days after each visit", shared]);
    let ended = doctor("off", "https://accounts.example.org");
    assert_eq!((about(&ended, "ok"), about(&ended, "warn").len()), (vec![shared.to_owned()], 1), "{}", ended.stdout);
    // Over plain HTTP this check says nothing, but another one warns.
    let ended = doctor("30", "http://accounts.example.org");
    assert_eq!((about(&ended, "ok"), about(&ended, "warn").len()), (vec![shared.to_owned()], 0), "{}", ended.stdout);
    assert!(lines(&ended, "warn").iter().any(|line| line.contains("over plain HTTP")), "{}", ended.stdout);
}

#[tokio::test]
async fn a_clock_that_is_behind_the_newest_login_fails() {
    let database = current_database().await;
    let mut config = Config::new(generate_secret_key(), "http://localhost:8000".parse().unwrap());
    config.password.hash_parameters = HashParameters::new(32, 1, 1).unwrap();
    let far_ahead = Arc::new(ManualClock::at("2099-01-01T00:00:00Z".parse().unwrap()));
    let accounts = Accounts::with_clock(database.db().clone(), config, far_ahead);
    let app: Router = countersign::mount(Router::new(), &accounts);
    let registration = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD }).to_string();
    for (path, content_type, body) in [
        ("/api/users", "application/json", registration),
        ("/api/users/token", "application/x-www-form-urlencoded", login_form("ada")),
    ] {
        let request = Request::post(path).header(CONTENT_TYPE, content_type).body(Body::from(body)).unwrap();
        let answer = app.clone().oneshot(request).await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
    }

    let ended = Sandbox::with_database(database.url()).run(&["doctor"]).with(1);
    let bad = lines(&ended, "fail");
    assert_eq!(bad.len(), 1, "{}", ended.stdout);
    assert!(bad[0].contains("somebody logged in at 2099-01-01T00:00:00Z; set the time"), "{}", bad[0]);
}

#[test]
fn it_shows_whom_a_request_counts_for_where_proxies_stand_between() {
    let sandbox = Sandbox::new().set("TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8");
    for (arguments, address) in [
        (&["--from", "10.0.0.1", "--forwarded", "198.51.100.1, 203.0.113.7"][..], "203.0.113.7"),
        (&["--from", "192.0.2.1", "--forwarded", "203.0.113.7"], "192.0.2.1"),
        (&["--from", "127.0.0.1"], "127.0.0.1"),
    ] {
        let stdout = sandbox.run(&[&["doctor"], arguments].concat()).with(0).stdout;
        assert_eq!(stdout.lines().next(), Some(address), "{stdout}");
    }
    for nonsense in ["0.0.0.0/0", "10.0.0.1/8", "proxy.example.com", "::/0"] {
        let ended = Sandbox::new().set("TRUSTED_PROXIES", nonsense).run(&["doctor", "--from", "10.0.0.1"]).with(1);
        assert!(ended.stderr.contains("TRUSTED_PROXIES"), "{}", ended.stderr);
    }
}
