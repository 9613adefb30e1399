//! Backups of installations in use, and restores elsewhere.
//!
//!     BACKUP_ROUNDS=20 cargo test -p countersign-server --test it -- backup:: --nocapture
//!
//! Without `BACKUP_ROUNDS`, only a few rounds run.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use countersign::MIGRATIONS;
use countersign::testing::pictures::{self, quarters};
use countersign_db::testing::TempDb;
use countersign_db::{DatabaseKind, Db, Migrations, PoolPolicy, on_db};
use serde_json::{Value, json};

use crate::client::{Answer, FORM, login_form};
use crate::media::{bucket_settings, names, send, upload};
use crate::s3::S3Server;
use crate::sandbox::{Sandbox, eventually};
use crate::{PASSWORD, later_migrations};

const SHORT_ROUNDS: usize = 3;
const DATABASE: &str = "sqlite:data/countersign.db";

/// An installation on SQLite and a folder, whichever database the other tests use.
pub(crate) fn installation() -> Sandbox {
    // All requests come from one address, without pauses.
    Sandbox::with_database(DATABASE).set("MEDIA_DIR", "media").set("RATE_LIMITS", "off")
}

/// An installation with users who have pictures, and a backup of it as `backup.tar`.
pub(crate) fn backed_up(users: &[&str]) -> Sandbox {
    let sandbox = installation();
    sandbox.run(&["migrate", "up"]).with(0);
    let server = sandbox.start("serve");
    for name in users {
        server.register(name).ok(201);
        assert_eq!(
            upload(server.address, &id_of(&server.me(&server.token(name))), &server.token(name), &picture()),
            Some(200)
        );
    }
    drop(server);
    let ended = sandbox.run(&["backup", "backup.tar"]).with(0);
    assert_eq!(ended.stderr, "", "no bar where there is no terminal");
    let count = users.len();
    assert!(ended.stdout.starts_with(&format!("backup.tar: {count} users, {count} pictures, ")), "{}", ended.stdout);
    sandbox
}

pub(crate) fn id_of(me: &Answer) -> String {
    me.ok(200)["id"].as_str().unwrap().to_owned()
}

pub(crate) fn picture() -> Vec<u8> {
    pictures::jpeg(320, 240, &quarters(320, 240), 0)
}

/// An empty installation with the backup of another one.
pub(crate) fn elsewhere(backup: &Path) -> Sandbox {
    let sandbox = installation();
    fs::copy(backup, sandbox.path("backup.tar")).unwrap();
    sandbox
}

/// Asserts that the folder holds nothing but the backup.
#[track_caller]
pub(crate) fn assert_untouched(sandbox: &Sandbox) {
    assert_eq!(sandbox.names(), ["backup.tar"]);
}

pub(crate) async fn open(sandbox: &Sandbox) -> Db {
    let url = format!("sqlite:{}", sandbox.path("data/countersign.db").display()).parse().unwrap();
    Db::connect(&url, &PoolPolicy::default()).await.unwrap()
}

async fn texts(db: &Db, statement: &'static str) -> Vec<String> {
    let mut read = db.read().await.unwrap();
    on_db!(read.conn(), c => sqlx::query_scalar(statement).fetch_all(c).await).unwrap()
}

/// Asserts that every reference has its row, that every referenced picture exists intact, and that there are no other pictures.
pub(crate) async fn assert_consistent(sandbox: &Sandbox) -> usize {
    let db = open(sandbox).await;
    assert_eq!(texts(&db, "PRAGMA integrity_check").await, ["ok"]);
    assert_eq!(texts(&db, "SELECT \"table\" FROM pragma_foreign_key_check").await, Vec::<String>::new());
    let select = "SELECT image_file FROM auth_users WHERE image_file IS NOT NULL ORDER BY image_file";
    let files = texts(&db, select).await;
    for file in &files {
        let bytes = fs::read(sandbox.path("media/profile_pics").join(file)).unwrap();
        assert!(bytes.starts_with(&[0xff, 0xd8]) && bytes.ends_with(&[0xff, 0xd9]), "{file}");
    }
    assert_eq!(names(&sandbox.path("media/profile_pics")), files);
    db.close().await;
    files.len()
}

/// Registers users, logs in and replaces a picture in a loop.
fn keep_busy(address: SocketAddr, id: &str, token: &str, is_over: &AtomicBool, made: &AtomicUsize) {
    let picture = picture();
    while !is_over.load(Ordering::Relaxed) {
        let number = made.fetch_add(1, Ordering::Relaxed);
        let name = format!("busy{number}");
        let body =
            json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD }).to_string();
        send(address, "POST /api/users", "Content-Type: application/json\r\n", body.as_bytes());
        let form = format!("{}: {}\r\n", FORM.0, FORM.1);
        send(address, "POST /api/users/token", &form, login_form(&name).as_bytes());
        for _ in 0..3 {
            upload(address, id, token, &picture);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_people_are_busy_is_consistent_and_they_log_in_where_it_is_put_back() {
    #[expect(clippy::disallowed_methods, reason = "a variable sets the length of this test")]
    let rounds = std::env::var("BACKUP_ROUNDS").ok().map(|rounds| rounds.parse().expect("BACKUP_ROUNDS is a number"));
    let sandbox = installation();
    sandbox.run(&["migrate", "up"]).with(0);
    let server = sandbox.start("serve");
    let people = ["ada", "grace", "joan"].map(|name| {
        server.register(name).ok(201);
        let token = server.token(name);
        (id_of(&server.me(&token)), token)
    });
    let (is_over, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for (id, token) in &people {
            let (address, is_over, made) = (server.address, &is_over, &made);
            scope.spawn(move || keep_busy(address, id, token, is_over, made));
        }
        for round in 0..rounds.unwrap_or(SHORT_ROUNDS) {
            // At a different moment each round.
            let before = made.load(Ordering::Relaxed);
            eventually("people are busy", || (made.load(Ordering::Relaxed) > before + round % 4).then_some(()));
            let ended = sandbox.run(&["backup", "backup.tar"]).with(0);
            let there = elsewhere(&sandbox.path("backup.tar"));
            there.run(&["restore", "backup.tar"]).with(0);
            let pictures =
                tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(assert_consistent(&there)));
            assert!(ended.stdout.contains(&format!(" {pictures} pictures, ")), "{}", ended.stdout);
            let restored = there.start("serve");
            restored.me(&restored.token("ada")).ok(200);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(sandbox.mode("backup.tar"), 0o600);
    assert_eq!(sandbox.names(), ["backup.tar", "data", "media"]);
}

#[test]
fn a_backup_that_was_tampered_with_is_refused_and_nothing_is_changed() {
    let good = fs::read(backed_up(&["ada"]).path("backup.tar")).unwrap();
    // The first byte after the header that contains the name.
    let content_of = |name: &str| {
        let headers = good.chunks(512).enumerate();
        let mut found =
            headers.filter(|(_, block)| block.starts_with(name.as_bytes()) && block[257..].starts_with(b"ustar"));
        (found.next().unwrap().0 + 1) * 512
    };
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let longer = [&good[..], &[0; 512]].concat();
    let extended = [&good[..good.len() - 1024], &good[..1024], &[0; 1024]].concat();
    for (case, bytes, reason) in [
        ("a picture", flipped(content_of("profile_pics/") + 300), ".jpg does not match its checksum"),
        ("the database", flipped(content_of("database.db") + 5_000), "database.db does not match its checksum"),
        ("the manifest", flipped(content_of("manifest.json") + 20), "manifest.json does not match its checksum"),
        ("the checksums", flipped(content_of("SHA256SUMS") + 70), "does not match its checksum"),
        ("a header", flipped(content_of("database.db") - 500), "it is damaged"),
        ("the beginning", flipped(0), "it is not a backup of this program"),
        ("a later format", flipped(content_of("FORMAT") + 19), "it is not a backup of this program"),
        ("cut off by a byte", good[..good.len() - 1].to_vec(), "its end is malformed"),
        ("cut off in the middle", good[..good.len() / 2].to_vec(), "its end is missing"),
        ("longer", longer, "its end is malformed"),
        ("extended", extended, "its end is malformed"),
        ("something else", b"SQLite format 3".to_vec(), "it is not a backup of this program"),
    ] {
        let sandbox = installation();
        fs::write(sandbox.path("backup.tar"), bytes).unwrap();
        for arguments in [&["restore", "backup.tar"][..], &["restore", "backup.tar", "--force"]] {
            let ended = sandbox.run(arguments).with(1);
            assert!(ended.stderr.contains(reason), "{case}: {}", ended.stderr);
            assert!(ended.stderr.contains("nothing was changed"), "{case}: {}", ended.stderr);
            assert_untouched(&sandbox);
        }
    }
}

#[test]
fn an_installation_that_is_there_is_replaced_by_force_alone_and_not_while_it_is_served() {
    let sandbox = backed_up(&["ada"]);
    let server = sandbox.start("serve");
    server.register("later").ok(201);
    for (arguments, reason) in [
        (&["restore", "backup.tar"][..], "there is a database at data/countersign.db already"),
        (&["restore", "backup.tar", "--force"], "a program has data/countersign.db open"),
    ] {
        let ended = sandbox.run(arguments).with(1);
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
        server.log_in("later").ok(200);
    }
    drop(server);
    sandbox.run(&["restore", "backup.tar", "--force"]).with(0);
    let server = sandbox.start("serve");
    server.log_in("ada").ok(200);
    assert_eq!(server.log_in("later").status, 401, "of after the backup");
    drop(server);

    let there = elsewhere(&sandbox.path("backup.tar"));
    fs::create_dir_all(there.path("media/profile_pics")).unwrap();
    fs::write(there.path("media/profile_pics").join(format!("{:032x}.jpg", 1)), "somebody's").unwrap();
    let ended = there.run(&["restore", "backup.tar"]).with(1);
    assert!(ended.stderr.contains("there are pictures"), "{}", ended.stderr);
    assert_eq!(there.names(), ["backup.tar", "media"]);
    there.run(&["restore", "backup.tar", "--force"]).with(0);
    assert_eq!(there.mode("data/countersign.db"), 0o600);
}

#[test]
fn a_backup_that_is_killed_leaves_the_earlier_one_and_the_next_clears_up() {
    // A bucket that never responds: the backup keeps running until it is killed.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let bucket = [
        ("S3_BUCKET_NAME", "pictures".to_owned()),
        ("S3_ENDPOINT_URL", format!("http://{}", silent.local_addr().unwrap())),
        ("S3_ACCESS_KEY_ID", "key".to_owned()),
        ("S3_SECRET_ACCESS_KEY", "secret".to_owned()),
    ];
    let sandbox = backed_up(&["ada"]);
    let earlier = fs::read(sandbox.path("backup.tar")).unwrap();
    let sandbox = bucket.iter().fold(sandbox, |sandbox, (name, value)| sandbox.set(name, value));
    let mut processes = ["backup.tar", "new.tar"].map(|file| sandbox.launch(&["backup", file]));
    for folder in [".backup.tar.partial", ".new.tar.partial"] {
        eventually("it has begun", || sandbox.path(folder).join("backup.tar").exists().then_some(()));
        assert_eq!(sandbox.mode(folder), 0o700);
    }
    let ended = sandbox.run(&["backup", "backup.tar"]).with(1);
    assert!(ended.stderr.contains("another backup to backup.tar is running"), "{}", ended.stderr);
    for process in &mut processes {
        process.signal("KILL");
        process.wait();
    }
    assert_eq!(fs::read(sandbox.path("backup.tar")).unwrap(), earlier);
    assert_eq!(sandbox.names(), [".backup.tar.partial", ".new.tar.partial", "backup.tar", "data", "media"]);

    let sandbox = bucket.iter().fold(sandbox, |sandbox, (name, _)| sandbox.unset(name));
    for file in ["backup.tar", "new.tar"] {
        sandbox.run(&["backup", file]).with(0);
    }
    assert_eq!(sandbox.names(), ["backup.tar", "data", "media", "new.tar"]);
    elsewhere(&sandbox.path("new.tar")).run(&["restore", "backup.tar"]).with(0);
}

#[test]
fn a_backup_can_be_looked_at_and_checked_without_us() {
    let sandbox = backed_up(&["ada"]);
    let look = "mkdir out && cd out && tar -xf ../backup.tar && sha256sum --check --quiet SHA256SUMS";
    assert!(Command::new("/bin/sh").args(["-c", look]).current_dir(sandbox.path("")).status().unwrap().success());
    let manifest: Value = serde_json::from_str(&sandbox.read("out/manifest.json")).unwrap();
    assert_eq!((&manifest["format"], &manifest["program"]), (&json!(1), &json!("countersign")));
    assert_eq!((&manifest["rows"]["auth_users"], &manifest["pictures"]), (&json!(1), &json!(1)));
    assert_eq!(manifest["schema"]["auth"], MIGRATIONS.steps.last().unwrap().step.version);
}

#[tokio::test]
async fn an_older_schema_is_backed_up_and_put_back_and_a_newer_one_is_refused() {
    let older = Migrations { set: MIGRATIONS.set, steps: &MIGRATIONS.steps[..MIGRATIONS.steps.len() - 1] };
    let sandbox = installation();
    let db = open(&sandbox).await;
    db.migrate(&[&older]).await.unwrap();
    sandbox.run(&["backup", "backup.tar"]).with(0);
    let there = elsewhere(&sandbox.path("backup.tar"));
    let ended = there.run(&["restore", "backup.tar"]).with(0);
    assert!(ended.stdout.contains("run `countersign migrate up`"), "{}", ended.stdout);
    there.run(&["migrate", "up"]).with(0);
    drop(there.start("serve"));

    db.migrate(&[&later_migrations()]).await.unwrap();
    let ended = sandbox.run(&["backup", "newer.tar"]).with(1);
    assert!(ended.stderr.contains("made by a newer countersign"), "{}", ended.stderr);
    assert_eq!(sandbox.names(), ["backup.tar", "data"]);
    db.close().await;
}

#[test]
fn a_backup_goes_where_nothing_else_is_lost() {
    let sandbox = backed_up(&["ada"]);
    let database = fs::read(sandbox.path("data/countersign.db")).unwrap();
    for (file, reason) in [
        ("data/countersign.db", "data/countersign.db exists and is not a backup; it was left alone"),
        ("nowhere/backup.tar", "the folder nowhere does not exist"),
        ("data", "data is a folder"),
    ] {
        let ended = sandbox.run(&["backup", file]).with(1);
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
    assert_eq!(fs::read(sandbox.path("data/countersign.db")).unwrap(), database);
    assert_eq!(sandbox.names(), ["backup.tar", "data", "media"]);
    let ended = Sandbox::new().set("DATABASE_URL", "sqlite:none.db").run(&["backup", "backup.tar"]).with(1);
    assert!(ended.stderr.contains("there is no database at sqlite:none.db yet"), "{}", ended.stderr);
}

#[test]
fn a_picture_that_the_storage_has_lost_is_named_and_the_rest_is_backed_up() {
    let sandbox = backed_up(&["ada", "grace"]);
    let lost = names(&sandbox.path("media/profile_pics")).remove(0);
    fs::remove_file(sandbox.path("media/profile_pics").join(&lost)).unwrap();
    let ended = sandbox.run(&["backup", "backup.tar"]).with(1);
    assert!(ended.stderr.contains(&format!("{lost} is missing from the storage")), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("backup.tar: 2 users, 1 pictures, "), "{}", ended.stdout);
    let there = elsewhere(&sandbox.path("backup.tar"));
    let ended = there.run(&["restore", "backup.tar"]).with(0);
    assert!(
        ended.stderr.contains("1 pictures of users were already missing when the backup was made"),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_of_a_bucket_are_in_the_backup_and_go_back_to_a_bucket() {
    let (old, new) = (S3Server::start().await, S3Server::start().await);
    let sandbox = bucket_settings(installation(), &old);
    sandbox.run(&["migrate", "up"]).with(0);
    let server = sandbox.start("serve");
    server.register("ada").ok(201);
    let token = server.token("ada");
    assert_eq!(upload(server.address, &id_of(&server.me(&token)), &token, &picture()), Some(200));
    sandbox.run(&["backup", "backup.tar"]).with(0);
    let there = bucket_settings(elsewhere(&sandbox.path("backup.tar")), &new);
    there.run(&["restore", "backup.tar"]).with(0);
    let files = names(&old.pictures_folder());
    assert_eq!((files.len(), &files), (1, &names(&new.pictures_folder())));
    for file in files {
        let read = |server: &S3Server| fs::read(server.pictures_folder().join(&file)).unwrap();
        assert_eq!(read(&old), read(&new));
    }
}

#[tokio::test]
async fn postgres_is_left_to_its_own_tools() {
    let database = TempDb::of_kind(DatabaseKind::Postgres, &[&countersign::MIGRATIONS]).await;
    let sandbox = Sandbox::with_database(database.url());
    let ended = sandbox.run(&["backup", "backup.tar"]).with(1);
    assert!(ended.stderr.contains("pg_dump"), "{}", ended.stderr);
    let ended = sandbox.run(&["restore", "backup.tar"]).with(1);
    assert!(ended.stderr.contains("pg_restore"), "{}", ended.stderr);
    assert!(sandbox.names().is_empty(), "{:?}", sandbox.names());
}

/// The commands of `docs/operating.md`.
#[tokio::test]
async fn what_pg_dump_wrote_is_put_back_by_pg_restore_and_doctor_finds_it_in_order() {
    let old = TempDb::of_kind(DatabaseKind::Postgres, &[&MIGRATIONS]).await;
    let new = TempDb::of_kind(DatabaseKind::Postgres, &[&MIGRATIONS]).await;
    let sandbox = Sandbox::with_database(old.url());
    let server = sandbox.start("serve");
    server.register("ada").ok(201);
    // Adds the folder where Debian installs PostgreSQL's programs.
    let commands = "export PATH=\"$PATH:$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)\" && \
        pg_dump --format=custom --file=accounts.dump \"$OLD\" && \
        pg_restore --clean --if-exists --exit-on-error --single-transaction --dbname=\"$NEW\" accounts.dump";
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", commands])
        .current_dir(sandbox.path(""))
        .env("OLD", old.server_url())
        .env("NEW", new.server_url());
    assert!(shell.status().unwrap().success());
    drop(server);
    let restored = Sandbox::with_database(new.url());
    let ended = restored.run(&["doctor"]).with(0);
    assert!(ended.stdout.contains("ok    database: the schema is current"), "{}", ended.stdout);
    restored.start("serve").log_in("ada").ok(200);
}
