//! Scheduled backups, made by the server.

use std::fs;
use std::path::PathBuf;

use countersign_db::DatabaseKind;
use countersign_db::testing::TempDb;
use serde_json::Value;

use crate::backup::{assert_consistent, elsewhere, installation};
use crate::bucket_backup::{bucket, nothing_is_left, stuck_after_two_parts, two_parts_are_there};
use crate::client::Connection;
use crate::media::{bucket_settings, names};
use crate::metrics::metrics_address;
use crate::s3::S3Server;
use crate::sandbox::{Process, Sandbox, Server, eventually};
use crate::sealed_backup::new_key;

const COMPLETE: &str = "a scheduled backup is complete";

/// An installation with scheduled backups and a verbose log.
fn scheduled(to: &str) -> Sandbox {
    let sandbox = installation().set("BACKUP_TO", to).set("METRICS_LISTEN", "127.0.0.1:0").set("LOG", "debug");
    sandbox.run(&["migrate", "up"]).with(0);
    sandbox
}

fn with_folder(sandbox: Sandbox, files: &[&str]) -> Sandbox {
    fs::create_dir(sandbox.path("backups")).unwrap();
    for file in files {
        fs::write(sandbox.path("backups").join(file), "somebody's").unwrap();
    }
    sandbox
}

/// Number of log lines with this message.
fn said(server: &Server, message: &str) -> usize {
    let log = server.process.stderr();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).count()
}

fn figure(server: &Server, name: &str) -> String {
    let mut connection = Connection::open(metrics_address(server));
    connection.request("GET", "/metrics", &[], "");
    let text = connection.answer().text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.unwrap_or_else(|| panic!("{name} is missing: {text}")).to_owned()
}

#[tokio::test]
async fn a_backup_is_made_when_one_is_due_and_the_oldest_go() {
    let foreign = [
        "blog-2020-01-01T000000Z.tar",
        "countersign-2020-01-01.tar",
        "countersign-2999-01-01T000000Z.tar",
        "notes.txt",
    ];
    let earlier = [
        "countersign-2020-01-01T000000Z.tar",
        "countersign-2020-01-02T000000Z.tar.age",
        "countersign-2020-01-03T000000Z.tar",
    ];
    let sandbox = with_folder(scheduled("backups").set("BACKUP_KEEP", 2), &[&foreign[..], &earlier].concat());
    let server = sandbox.start("serve");
    eventually("a backup is complete", || (said(&server, COMPLETE) == 1).then_some(()));
    eventually("old ones are deleted", || (said(&server, "an old backup is deleted") == 2).then_some(()));
    let mut new = names(&sandbox.path("backups"));
    new.retain(|name| !foreign.contains(&name.as_str()) && name != earlier[2]);
    assert_eq!(names(&sandbox.path("backups")).len(), foreign.len() + 2);
    let [name] = &new[..] else { panic!("{new:?}") };
    assert!(name.starts_with("countersign-20") && name.ends_with("Z.tar"), "{name}");
    assert_eq!(sandbox.mode(&format!("backups/{name}")), 0o600);
    assert_eq!(figure(&server, "countersign_backups_total{outcome=\"succeeded\"}"), "1");
    assert_eq!(figure(&server, "countersign_backups_total{outcome=\"failed\"}"), "0");
    let newest = figure(&server, "countersign_backup_newest_timestamp_seconds");
    assert!(newest.parse::<u64>().unwrap() > 1_700_000_000, "{newest}");
    let there = elsewhere(&sandbox.path("backups").join(name));
    there.run(&["restore", "backup.tar"]).with(0);
    assert_eq!(assert_consistent(&there).await, 0);
    drop(server);

    // The schedule follows the existing backups, so a restart makes no new one.
    let server = sandbox.start("serve");
    eventually("it has looked", || (said(&server, "no scheduled backup is due") == 1).then_some(()));
    assert_eq!(figure(&server, "countersign_backup_newest_timestamp_seconds"), newest);
    assert_eq!(names(&sandbox.path("backups")).len(), foreign.len() + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_backup_is_encrypted_into_a_bucket() {
    let s3 = S3Server::start().await;
    let backups = bucket(&s3, "backups").join("accounts");
    let keys = installation();
    let public = new_key(&keys, "key.txt");
    let sandbox = bucket_settings(scheduled("s3://backups/accounts/"), &s3).unset("S3_BUCKET_NAME");
    let sandbox = sandbox.set("BACKUP_RECIPIENTS", &public).set("BACKUP_KEEP", 1);
    fs::create_dir(&backups).unwrap();
    for name in ["countersign-2020-01-01T000000Z.tar", "notes.txt"] {
        fs::write(backups.join(name), "somebody's").unwrap();
    }
    let server = sandbox.start("serve");
    eventually("the old one is deleted", || (said(&server, "an old backup is deleted") == 1).then_some(()));
    let [name, notes] = &names(&backups)[..] else { panic!("{:?}", names(&backups)) };
    assert!(name.ends_with("Z.tar.age") && notes == "notes.txt", "{name}");
    let there = bucket_settings(elsewhere(&keys.path("key.txt")), &s3);
    let place = format!("s3://backups/accounts/{name}");
    there.run(&["restore", &place, "--identity", "backup.tar"]).with(0);
    nothing_is_left(&s3);
}

#[test]
fn of_two_instances_one_makes_the_backup() {
    let sandbox = with_folder(scheduled("backups"), &[]);
    let servers = [sandbox.launch(&["serve"]), sandbox.launch(&["serve"])].map(Process::listening);
    let has_looked = |server: &Server| {
        let ways = [COMPLETE, "no scheduled backup is due", "another instance is at the scheduled backup"];
        ways.iter().any(|way| said(server, way) > 0)
    };
    eventually("both have looked", || servers.iter().all(has_looked).then_some(()));
    eventually("a backup is complete", || (names(&sandbox.path("backups")).len() == 1).then_some(()));
    eventually("one says so", || servers.iter().any(|server| said(server, COMPLETE) == 1).then_some(()));
    for mut server in servers {
        server.process.signal("TERM");
        server.process.wait().with(0);
    }
    assert_eq!(names(&sandbox.path("backups")).len(), 1);
}

#[test]
fn a_backup_that_does_not_work_is_an_error_and_the_site_is_served() {
    let sandbox = scheduled("nowhere");
    let server = sandbox.start("serve");
    let message = "a scheduled backup did not work and will be tried again";
    eventually("it has failed", || (said(&server, message) == 1).then_some(()));
    let log = server.process.stderr();
    let line = log.lines().find(|line| line.contains(message)).unwrap();
    assert!(line.contains("\"level\":\"ERROR\"") && line.contains("nowhere cannot be read: No such file"), "{line}");
    assert_eq!(figure(&server, "countersign_backups_total{outcome=\"failed\"}"), "1");
    server.register("ada").ok(201);
}

#[test]
fn doctor_looks_where_backups_go_and_whether_they_are_encrypted() {
    let lines = |sandbox: &Sandbox| -> Vec<String> {
        let told = sandbox.run(&["doctor"]).stdout;
        told.lines().filter(|line| line.contains("backups: ")).map(str::to_owned).collect()
    };
    let sandbox = scheduled("backups");
    let told = lines(&sandbox);
    assert!(told[0].starts_with("fail  backups: ") && told[0].ends_with("; check BACKUP_TO"), "{told:?}");
    assert!(told[1].starts_with("warn  backups: they are not encrypted"), "{told:?}");
    let public = new_key(&sandbox, "key.txt");
    let sandbox = with_folder(sandbox, &[]).set("BACKUP_RECIPIENTS", public);
    assert_eq!(lines(&sandbox), ["ok    backups: backups can be listed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_backup_ends_with_the_server_and_leaves_nothing() {
    let s3 = S3Server::start().await;
    let backups = bucket(&s3, "backups");
    let (sandbox, _fifo) = stuck_after_two_parts(&s3);
    let sandbox = sandbox.set("BACKUP_TO", "s3://backups");
    let mut server = sandbox.start("serve");
    two_parts_are_there(&s3);
    server.process.signal("TERM");
    let ended = server.process.wait().with(0);
    assert!(!ended.stderr.contains("a scheduled backup did not work"), "{}", ended.stderr);
    assert_eq!(names(&backups), Vec::<String>::new());
    nothing_is_left(&s3);
    let left: Vec<PathBuf> = fs::read_dir(sandbox.path("data")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.iter().all(|path| !path.to_string_lossy().contains("partial")), "{left:?}");
}

#[tokio::test]
async fn settings_of_backups_that_do_not_go_together_are_named() {
    let database = TempDb::of_kind(DatabaseKind::Postgres, &[&countersign::MIGRATIONS]).await;
    let ended = Sandbox::with_database(database.url()).set("BACKUP_TO", "backups").run(&["serve"]).with(1);
    assert!(
        ended.stderr.contains("BACKUP_TO is set, but DATABASE_URL names a PostgreSQL database"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("pg_dump"), "{}", ended.stderr);
    for (name, value) in [
        ("BACKUP_TO", "s3://a"),
        ("BACKUP_TO", "gs://backups"),
        ("BACKUP_EVERY_HOURS", "0"),
        ("BACKUP_KEEP", "0"),
        ("BACKUP_RECIPIENTS", "ada@example.com"),
    ] {
        let ended = installation().set(name, value).run(&["serve"]).with(1);
        assert!(ended.stderr.contains(&format!("{name} (environment) is \"{value}\": ")), "{}", ended.stderr);
    }
}
