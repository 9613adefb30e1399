//! Copies of an installation to the other kind of database and back, starting with the kind under test.

use std::collections::BTreeMap;

use countersign::MIGRATIONS;
use countersign_db::testing::{TempDb, database_under_test};
use countersign_db::{Conn, DatabaseKind, Db, PoolPolicy, on_db};
use sqlx::AssertSqlSafe;

use crate::client::FORM;
use crate::sandbox::{Ended, Sandbox, eventually};
use crate::{later_migrations, older_database};

fn other(kind: DatabaseKind) -> DatabaseKind {
    match kind {
        DatabaseKind::Sqlite => DatabaseKind::Postgres,
        DatabaseKind::Postgres => DatabaseKind::Sqlite,
    }
}

/// A database without tables and without open connections.
async fn empty(kind: DatabaseKind) -> TempDb {
    let database = TempDb::of_kind(kind, &[]).await;
    database.db().close().await;
    database
}

async fn open(url: &str) -> Db {
    Db::connect(&url.parse().unwrap(), &PoolPolicy::default()).await.unwrap()
}

/// Runs a statement on a database without open connections, and closes it again.
async fn execute(url: &str, statement: &str) {
    let db = open(url).await;
    let mut tx = db.write().await.unwrap();
    let statement = AssertSqlSafe(statement.to_owned());
    on_db!(tx.conn(), c => sqlx::raw_sql(statement).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    db.close().await;
}

async fn count(url: &str, select: &'static str) -> i64 {
    let db = open(url).await;
    let count = on_db!(db.read().await.unwrap().conn(), c => sqlx::query_scalar(select).fetch_one(c).await).unwrap();
    db.close().await;
    count
}

/// All rows of all tables as the database renders them, and the next values of the counters.
async fn rows(url: &str) -> BTreeMap<String, Vec<String>> {
    let db = open(url).await;
    let mut read = db.read().await.unwrap();
    let tables = match read.conn() {
        Conn::Sqlite(_) => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'",
        Conn::Postgres(_) => {
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() AND tablename NOT LIKE '\\_%'"
        }
    };
    let tables: Vec<String> = on_db!(read.conn(), c => sqlx::query_scalar(tables).fetch_all(c).await).unwrap();
    let mut all = BTreeMap::new();
    for table in tables {
        let select = match read.conn() {
            Conn::Sqlite(c) => {
                let columns =
                    "SELECT group_concat('quote(\"' || name || '\")', ' || ''|'' || ') FROM pragma_table_info($1)";
                let columns: String = sqlx::query_scalar(columns).bind(&table).fetch_one(c).await.unwrap();
                format!("SELECT {columns} FROM \"{table}\"")
            }
            Conn::Postgres(_) => format!("SELECT CAST(t AS TEXT) FROM \"{table}\" AS t"),
        };
        let select = AssertSqlSafe(select);
        let mut rows: Vec<String> = on_db!(read.conn(), c => sqlx::query_scalar(select).fetch_all(c).await).unwrap();
        rows.sort();
        all.insert(table, rows);
    }
    if let Conn::Postgres(c) = read.conn() {
        let counters =
            "SELECT concat(sequencename, ' ', last_value) FROM pg_sequences WHERE schemaname = current_schema()";
        let counters: Vec<String> = sqlx::query_scalar(counters).fetch_all(c).await.unwrap();
        all.extend(counters.into_iter().map(|counter| (counter, vec!["counter".to_owned()])));
    }
    drop(read);
    db.close().await;
    all
}

fn sandbox(url: &str) -> Sandbox {
    Sandbox::with_database(url).set("ALGORITHM", "EdDSA").set("RATE_LIMITS", "off")
}

/// An installation with a row in every table, and one of its refresh tokens.
async fn busy(kind: DatabaseKind) -> (TempDb, String) {
    let database = TempDb::of_kind(kind, &[&MIGRATIONS]).await;
    database.db().close().await;
    let sandbox = sandbox(database.url()).set("REGISTRATION", "verified");
    sandbox.run(&["invite"]).with(0);
    let server = sandbox.start("serve");
    server.register("waits").ok(202);
    drop(server);
    let sandbox = sandbox.set("REGISTRATION", "open");
    let server = sandbox.start("serve");
    for name in ["ada", "grace", "zoe"] {
        server.register(name).ok(201);
    }
    let out = server.token("grace");
    server.request("POST", "/api/users/logout", &[("Authorization", &format!("Bearer {out}"))], "").ok(204);
    let tokens = server.log_in("ada").ok(200);
    let refresh = refreshed(&server.request("POST", "/api/users/token", &[FORM], &refresh_form(&tokens)).ok(200));
    drop(server);
    // Rows that would take long to produce, a counter value that was used and deleted, and values of every kind.
    let (bytes, key, id) = match kind {
        DatabaseKind::Sqlite => {
            ("x'00ff80'", "x'00000000000000000000000000000080'", "x'0123456789abcdef0123456789abcdef'")
        }
        DatabaseKind::Postgres => {
            ("'\\x00ff80'", "'\\x00000000000000000000000000000080'", "'0123456789abcdef0123456789abcdef'")
        }
    };
    let more = format!(
        "INSERT INTO auth_spent_challenges (id, expires_at) VALUES ({id}, 9223372036854775807); \
         INSERT INTO auth_attempts (key, failures, last_at, next_at) VALUES ({key}, 0, -9223372036854775808, 1); \
         INSERT INTO auth_known_devices (user_id, device, last_seen_at) SELECT id, 'Ä ''quoted'' \"device\" \\N', -1 FROM auth_users; \
         INSERT INTO auth_known_devices (user_id, device, last_seen_at) SELECT id, 'A device', 0 FROM auth_users; \
         INSERT INTO auth_known_devices (user_id, device, last_seen_at) SELECT id, 'a device', 0 FROM auth_users; \
         INSERT INTO auth_signing_keys (kid, algorithm, sealed_key, sealed_by, created_at, active_from, retired_at) \
             VALUES ('old', 'EdDSA', {bytes}, '', 0, 0, 1), ('Older', 'EdDSA', {bytes}, '', 0, 0, 1); \
         INSERT INTO auth_events (id, subject_id, kind, happened_at) SELECT id, id, 'made up', 0 FROM auth_users; \
         INSERT INTO auth_changes (user_id, changed_at) SELECT id, 7 FROM auth_users; \
         DELETE FROM auth_changes WHERE id = (SELECT MAX(id) FROM auth_changes)"
    );
    execute(database.url(), &more).await;
    for (table, rows) in rows(database.url()).await {
        assert!(!rows.is_empty(), "nothing happened that leaves a row in {table}");
    }
    (database, refresh)
}

fn refreshed(tokens: &serde_json::Value) -> String {
    tokens["refresh_token"].as_str().unwrap().to_owned()
}

fn refresh_form(tokens: &serde_json::Value) -> String {
    format!("grant_type=refresh_token&refresh_token={}", refreshed(tokens))
}

fn copy(from: &TempDb, to: &TempDb) -> Ended {
    Sandbox::new().set("DATABASE_URL", from.url()).run(&["copy", "--to", to.url()])
}

#[tokio::test]
async fn an_installation_moves_to_the_other_database_and_back_and_nobody_notices() {
    let kind = database_under_test();
    let (first, refresh) = busy(kind).await;
    let (second, third) = (empty(other(kind)).await, empty(kind).await);
    let before = rows(first.url()).await;
    let greatest = count(first.url(), "SELECT MAX(id) FROM auth_changes").await;

    let there = copy(&first, &second).with(0);
    assert!(
        there.stdout.contains(" tables copied from ") && there.stdout.contains("`countersign doctor`"),
        "{}",
        there.stdout
    );
    assert_eq!(there.stderr, "", "no bar where there is no terminal");
    assert_eq!(rows(first.url()).await, before, "the source is as it was");
    Sandbox::new().run(&["copy", "--from", second.url(), "--to", third.url()]).with(0);
    assert_eq!(rows(third.url()).await, before);
    for place in [&second, &third] {
        let server = sandbox(place.url()).start("serve");
        server.log_in("ada").ok(200);
        let form = format!("grant_type=refresh_token&refresh_token={refresh}");
        let tokens = server.request("POST", "/api/users/token", &[FORM], &form).ok(200);
        server.me(tokens["access_token"].as_str().unwrap()).ok(200);
        // Ends sessions, which takes new numbers.
        server
            .request("POST", "/api/users/logout", &[("Authorization", &format!("Bearer {}", server.token("ada")))], "")
            .ok(204);
        drop(server);
        let last = count(place.url(), "SELECT MAX(id) FROM auth_changes").await;
        assert!(last > greatest + 1, "the number of the row that is gone was given again: {last}");
    }
}

/// Makes a value in a late table invalid for the other database.
fn spoil(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Sqlite => "UPDATE auth_sessions SET user_agent = 'secret' || char(0) || 'agent'",
        DatabaseKind::Postgres => {
            "ALTER TABLE auth_sessions DROP CONSTRAINT auth_sessions_user_agent_check; \
             UPDATE auth_sessions SET user_agent = repeat('secret', 50)"
        }
    }
}

const MEND: &str = "UPDATE auth_sessions SET user_agent = 'mended'";

/// A copy that stopped at a row the target refused; the source has been fixed since.
async fn half_copied() -> (TempDb, TempDb) {
    let source = busy(database_under_test()).await.0;
    let target = empty(other(database_under_test())).await;
    execute(source.url(), spoil(database_under_test())).await;
    let ended = copy(&source, &target).with(1);
    let reason = match database_under_test() {
        DatabaseKind::Sqlite => "has a value in its column user_agent which has a character of code zero",
        DatabaseKind::Postgres => "the target refused the row ",
    };
    assert!(ended.stderr.contains(reason) && ended.stderr.contains("auth_sessions"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("run the same command again to resume") && !ended.stderr.contains("secret"),
        "{}",
        ended.stderr
    );
    execute(source.url(), MEND).await;
    (source, target)
}

#[tokio::test]
async fn what_was_cut_off_goes_on_where_it_was_and_is_not_used_before() {
    let (source, target) = half_copied().await;
    for command in [&["serve"][..], &["migrate", "status"], &["migrate", "up"], &["doctor"], &["jobs", "list"]] {
        let ended = Sandbox::with_database(target.url()).run(command).with(1);
        assert!(ended.all().contains("a copy into this database is unfinished"), "{}", ended.all());
    }
    let backwards = copy(&target, &source).with(1);
    assert!(backwards.stderr.contains("the source is the target of an unfinished copy"), "{}", backwards.stderr);
    let another = TempDb::of_kind(database_under_test(), &[&MIGRATIONS]).await;
    another.db().close().await;
    let mixed = copy(&another, &target).with(1);
    assert!(mixed.stderr.contains("a part of a copy of another database"), "{}", mixed.stderr);

    let ended = copy(&source, &target).with(0);

    assert!(ended.stdout.contains(" of them by an earlier run; each one was read back"), "{}", ended.stdout);
    let back = empty(database_under_test()).await;
    copy(&target, &back).with(0);
    assert_eq!(rows(back.url()).await, rows(source.url()).await);
    drop(sandbox(target.url()).start("serve"));
}

#[tokio::test]
async fn a_row_that_was_altered_or_lost_in_the_target_is_named_without_its_values() {
    let (source, target) = half_copied().await;
    let damage = "UPDATE auth_users SET email = 'altered@example.com' WHERE username = 'ada'; \
                  DELETE FROM auth_signing_keys WHERE kid = 'Older'; \
                  UPDATE auth_invitations SET uses_left = uses_left + 1";
    execute(target.url(), damage).await;
    for _ in 0..2 {
        let ended = copy(&source, &target).with(1);
        assert!(
            ended.stderr.contains("error: auth_signing_keys: the row \"Older\" is missing in the target"),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("differs in the column email"), "{}", ended.stderr);
        assert!(ended.stderr.contains("differs in the column uses_left"), "{}", ended.stderr);
        assert!(ended.stderr.contains("error: 3 differences"), "{}", ended.stderr);
        assert!(!ended.all().contains("example.com"), "{}", ended.all());
    }
    Sandbox::with_database(target.url()).run(&["serve"]).with(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_is_completed_by_the_next() {
    let source = busy(DatabaseKind::Sqlite).await.0;
    let target = TempDb::of_kind(DatabaseKind::Postgres, &[&MIGRATIONS]).await;
    let waiting = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND database = \
                   (SELECT oid FROM pg_database WHERE datname = current_database())";
    // A late table is locked against writes, so the copy blocks there until it is killed.
    let mut tx = target.db().write().await.unwrap();
    let lock = "LOCK TABLE auth_sessions IN SHARE MODE";
    on_db!(tx.conn(), c => sqlx::query(lock).execute(c).await.map(drop)).unwrap();
    let sandbox = Sandbox::new().set("DATABASE_URL", source.url());
    let mut process = sandbox.launch(&["copy", "--to", target.url()]);
    let runtime = tokio::runtime::Handle::current();
    eventually("the copy waits", || {
        let waiting = tokio::task::block_in_place(|| runtime.block_on(count(target.url(), waiting)));
        (waiting > 0).then_some(())
    });
    process.signal("KILL");
    process.wait();
    tx.roll_back().await.unwrap();
    let users = "SELECT COUNT(*) FROM auth_users";
    assert_eq!(count(target.url(), users).await, 3);
    assert_eq!(count(target.url(), "SELECT COUNT(*) FROM auth_sessions").await, 0);

    let ended = copy(&source, &target).with(0);

    assert!(ended.stdout.contains(" of them by an earlier run"), "{}", ended.stdout);
    let back = empty(DatabaseKind::Sqlite).await;
    copy(&target, &back).with(0);
    assert_eq!(rows(back.url()).await, rows(source.url()).await);
}

#[tokio::test]
async fn what_is_not_to_be_copied_is_left_alone() {
    let kind = database_under_test();
    let (source, occupied) = (busy(kind).await.0, busy(other(kind)).await.0);
    let before = rows(occupied.url()).await;
    let (older, newer) = (older_database().await, TempDb::new(&[&later_migrations()]).await);
    for database in [&older, &newer] {
        database.db().close().await;
    }
    let target = empty(other(kind)).await;
    for (from, to, reason) in [
        (&source, &occupied, "the target has rows already, in the table auth_"),
        (&source, &source, "the source and the target are the same database"),
        (&older, &target, "the schema of the source is older than this program; run `countersign migrate up`"),
        (&newer, &target, "the schema of the source was made by a newer countersign"),
        (&source, &older, "the schema of the target is older than this program"),
        (&source, &newer, "the schema of the target was made by a newer countersign"),
    ] {
        let ended = copy(from, to).with(1);
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
    assert_eq!(rows(occupied.url()).await, before);
    let nothing = BTreeMap::<String, Vec<String>>::new();
    assert_eq!(rows(target.url()).await, nothing, "no table was made");

    let ended = Sandbox::new().run(&["copy", "--to", "mysql://ada:hunter2@host/accounts"]).with(1);
    assert!(ended.stderr.contains("--to: unknown scheme") && !ended.stderr.contains("hunter2"), "{}", ended.stderr);
    let missing = Sandbox::new().run(&["copy", "--from", "sqlite:none.db", "--to", target.url()]).with(1);
    assert!(missing.stderr.contains("there is no database at sqlite:none.db"), "{}", missing.stderr);
}

#[tokio::test]
async fn tables_of_others_stay_behind_and_those_of_another_host_are_refused() {
    let kind = database_under_test();
    let source = busy(kind).await.0;
    execute(source.url(), "CREATE TABLE notes (note TEXT)").await;
    let target = empty(other(kind)).await;
    let ended = copy(&source, &target).with(0);
    assert_eq!(ended.stderr, "warning: tables of other programs are not copied: notes\n");

    execute(source.url(), "CREATE TABLE _wiki_migrations (version BIGINT)").await;
    let ended = copy(&source, &empty(other(kind)).await).with(1);
    assert!(ended.stderr.contains("tables of `wiki`, which this program does not know"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_source_that_is_in_use_is_not_copied() {
    let kind = database_under_test();
    let (source, target) = (busy(kind).await.0, empty(other(kind)).await);
    // On SQLite, open connections are noticed; on PostgreSQL, writers.
    let db = open(source.url()).await;
    let mut tx = db.write().await.unwrap();
    let write = "UPDATE auth_jobs SET attempts = attempts + 1";
    on_db!(tx.conn(), c => sqlx::query(write).execute(c).await.map(drop)).unwrap();
    let ended = copy(&source, &target).with(1);
    let reason = match kind {
        DatabaseKind::Sqlite => "open; stop it first",
        DatabaseKind::Postgres => "make sure that the site is stopped",
    };
    assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    tx.roll_back().await.unwrap();
    db.close().await;
    copy(&source, &target).with(0);
}
