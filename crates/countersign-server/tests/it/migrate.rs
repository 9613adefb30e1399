use countersign_db::DatabaseKind;
use countersign_db::testing::{TempDb, database_under_test};

use crate::sandbox::{Process, Sandbox, eventually};
use crate::{
    EmptyPlace, altered_migrations, contracted_migrations, current_database, expanded_migrations, later_migrations,
    older_database,
};

/// The URL of a missing database on an existing server. A pooler would report only the first time that it is missing.
async fn missing_database() -> (TempDb, String) {
    let neighbour = TempDb::new(&[]).await;
    let (server, _) = neighbour.server_url().rsplit_once('/').unwrap();
    let url = format!("{server}/missing");
    (neighbour, url)
}

/// The expected error for a missing database.
fn way_out() -> &'static str {
    match database_under_test() {
        DatabaseKind::Sqlite => "there is no database at sqlite:",
        DatabaseKind::Postgres => "database \"missing\" does not exist",
    }
}

#[tokio::test]
async fn the_status_of_a_missing_database_is_an_error_and_makes_none() {
    let (_neighbour, url) = missing_database().await;
    let sandbox = Sandbox::new().set("DATABASE_URL", &url);
    for _ in 0..2 {
        let ended = sandbox.run(&["migrate", "status"]).with(1);
        assert!(ended.stderr.contains(way_out()), "{}", ended.stderr);
        assert_eq!(ended.stdout, "");
    }
}

#[tokio::test]
async fn the_status_lists_what_is_pending() {
    let database = TempDb::new(&[]).await;
    let ended = Sandbox::new().set("DATABASE_URL", database.url()).run(&["migrate", "status"]).with(1);
    let (heading, rows) = ended.stdout.trim_end().split_once('\n').unwrap();
    assert_eq!(heading.split_whitespace().collect::<Vec<_>>(), ["SET", "VERSION", "NAME", "STATE"]);
    let rows: Vec<Vec<&str>> = rows.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["auth", "1", "0001_users", "pending"]);
    assert_eq!(rows.len(), countersign::MIGRATIONS.steps.len());
    assert!(ended.stderr.contains("run `countersign migrate up`"), "{}", ended.stderr);
}

#[tokio::test]
async fn the_status_of_a_current_database_is_in_order() {
    let database = current_database().await;
    let ended = Sandbox::new().set("DATABASE_URL", database.url()).run(&["migrate", "status"]).with(0);
    let states: Vec<&str> = ended.stdout.lines().skip(1).filter_map(|row| row.split_whitespace().last()).collect();
    assert_eq!(states, vec!["applied"; countersign::MIGRATIONS.steps.len()]);
    assert_eq!(ended.stderr, "");
}

#[tokio::test]
async fn an_older_database_is_told_apart_and_brought_up_to_date_once() {
    let database = older_database().await;
    let sandbox = Sandbox::new().set("DATABASE_URL", database.url());
    let before = sandbox.run(&["migrate", "status"]).with(1).stdout;
    assert!(before.contains("applied") && before.trim_end().ends_with("pending"), "{before}");
    let last = countersign::MIGRATIONS.steps.last().unwrap().step;
    let first = sandbox.run(&["migrate", "up"]).with(0);
    assert_eq!(first.stdout, format!("applied auth {} {}\n", last.version, last.name));
    let second = sandbox.run(&["migrate", "up"]).with(0);
    assert_eq!(second.stdout, "nothing to do, the schema is current\n");
    sandbox.run(&["migrate", "status"]).with(0);
}

#[tokio::test]
async fn a_newer_database_is_refused_by_every_command() {
    let database = TempDb::new(&[&later_migrations()]).await;
    let sandbox = Sandbox::with_database(database.url());
    let status = sandbox.run(&["migrate", "status"]).with(1);
    assert!(
        status.stdout.contains("9000") && status.stdout.contains("applied by a newer version"),
        "{}",
        status.stdout
    );
    assert!(status.stderr.contains("install that version or a later one"), "{}", status.stderr);
    let sandbox = sandbox.set("MIGRATE_ON_START", "true");
    for command in [&["migrate", "up"][..], &["serve"], &["dev"]] {
        let stderr = sandbox.run(command).with(1).stderr;
        assert!(stderr.contains("install that version or a later one"), "{command:?}: {stderr}");
    }
    let stderr = sandbox.unset("MIGRATE_ON_START").run(&["serve"]).with(1).stderr;
    assert!(stderr.contains("install that version or a later one"), "{stderr}");
}

#[tokio::test]
async fn a_database_that_a_newer_version_only_added_to_is_served() {
    let database = current_database().await;
    database.db().migrate(&[&expanded_migrations()]).await.unwrap();
    let sandbox = Sandbox::with_database(database.url());
    let status = sandbox.run(&["migrate", "status"]).with(0).stdout;
    assert!(status.contains("9000_wishes.expand") && status.contains("added by a newer version"), "{status}");
    assert_eq!(sandbox.run(&["migrate", "up"]).with(0).stdout, "nothing to do, the schema is current\n");
    let doctor = sandbox.run(&["doctor"]).all();
    assert!(doctor.contains("extended by a newer version"), "{doctor}");
    for migrates in ["false", "true"] {
        let sandbox = Sandbox::with_database(database.url()).set("MIGRATE_ON_START", migrates);
        let mut server = sandbox.start("serve");
        server.get("/ready").ok(200);
        server.register(&format!("ada{}", migrates.len())).ok(201);
        server.signal("TERM");
        let log = server.process.wait().with(0).stderr;
        assert_eq!(log.matches("extended by a newer version").count(), 1, "{log}");
    }
}

#[tokio::test]
async fn a_running_instance_stays_ready_when_the_schema_is_extended_and_no_longer_than_that() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url());
    let server = sandbox.start("serve");
    database.db().migrate(&[&expanded_migrations()]).await.unwrap();
    for _ in 0..2 {
        server.get("/ready").ok(200);
    }
    server.register("ada").ok(201);
    // The log is in order: once this line is there, all earlier ones are.
    eventually("the registration is logged", || server.stderr().contains("/api/users").then_some(()));
    assert_eq!(server.stderr().matches("extended by a newer version").count(), 1, "{}", server.stderr());
    database.db().migrate(&[&contracted_migrations()]).await.unwrap();
    let answer = eventually("/ready says that it is not", || Some(server.get("/ready")).filter(|it| it.status == 503));
    let detail = answer.problem(503, "not_ready")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("install that version or a later one"), "{detail}");
}

#[tokio::test]
async fn an_altered_migration_is_refused() {
    let database = TempDb::new(&[]).await;
    database.db().migrate(&[&altered_migrations()]).await.unwrap();
    let sandbox = Sandbox::with_database(database.url());
    let status = sandbox.run(&["migrate", "status"]).with(1);
    assert!(status.stdout.contains("applied, but altered"), "{}", status.stdout);
    assert!(status.stderr.contains("install an unmodified countersign"), "{}", status.stderr);
    for command in [&["migrate", "up"][..], &["serve"], &["dev"]] {
        let stderr = sandbox.run(command).with(1).stderr;
        assert!(stderr.contains("install an unmodified countersign"), "{command:?}: {stderr}");
    }
}

#[tokio::test]
async fn up_makes_a_database_that_serve_takes_and_others_cannot_read() {
    let place = EmptyPlace::new().await;
    let sandbox = Sandbox::with_database(&place.url);
    sandbox.run(&["migrate", "up"]).with(0);
    if database_under_test() == DatabaseKind::Sqlite {
        assert_eq!((sandbox.mode("store"), sandbox.mode("store/accounts.db")), (0o700, 0o600));
    }
    assert_eq!(sandbox.start("serve").get("/ready").status, 200);
}

#[tokio::test]
async fn serve_refuses_a_missing_database_and_makes_none() {
    let (_neighbour, url) = missing_database().await;
    let sandbox = Sandbox::with_database(&url);
    for _ in 0..2 {
        let ended = sandbox.run(&["serve"]).with(1);
        assert!(ended.stderr.contains(way_out()), "{}", ended.stderr);
    }
}

#[tokio::test]
async fn serve_refuses_an_older_database_and_names_both_ways_out() {
    for database in [older_database().await, TempDb::new(&[]).await] {
        let stderr = Sandbox::with_database(database.url()).run(&["serve"]).with(1).stderr;
        assert!(stderr.contains("the database's auth schema is older than this program"), "{stderr}");
        assert!(stderr.contains("run `countersign migrate up`, or set MIGRATE_ON_START=true"), "{stderr}");
    }
}

#[tokio::test]
async fn serve_brings_an_older_database_up_to_date_if_it_may() {
    let database = older_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("MIGRATE_ON_START", "true");
    let server = sandbox.start("serve");
    server.register("ada").ok(201);
    assert_eq!(server.me(&server.token("ada")).ok(200)["username"], "ada");
    drop(server);
    sandbox.run(&["migrate", "status"]).with(0);
}

#[tokio::test]
async fn instances_that_start_together_on_an_empty_database_all_come_up() {
    let place = EmptyPlace::new().await;
    let sandbox = Sandbox::with_database(&place.url).set("MIGRATE_ON_START", "true");
    let starting: Vec<_> = (0..4).map(|_| sandbox.launch(&["serve"])).collect();
    let servers: Vec<_> = starting.into_iter().map(Process::listening).collect();
    servers[0].register("ada").ok(201);
    for server in &servers {
        assert_eq!(server.get("/ready").status, 200);
        server.log_in("ada").ok(200);
    }
    let migrated = servers.iter().filter(|server| server.stderr().contains("\"migrated\"")).count();
    assert_eq!(migrated, 1, "one of them migrates, the others wait");
}
