//! Backups to a bucket, and restores from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_db::on_db;

use crate::backup::{assert_consistent, elsewhere, id_of, installation, open, picture};
use crate::media::{bucket_settings, names, upload};
use crate::s3::S3Server;
use crate::sandbox::{Sandbox, eventually};
use crate::sealed_backup::{hidden, new_key};

/// Creates a bucket and returns its folder on the server.
pub(crate) fn bucket(server: &S3Server, name: &str) -> PathBuf {
    let folder = server.pictures_folder().ancestors().nth(2).unwrap().join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// An installation with pictures in a bucket and this many users with a picture.
fn in_a_bucket(server: &S3Server, users: usize) -> Sandbox {
    let sandbox = bucket_settings(installation(), server);
    sandbox.run(&["migrate", "up"]).with(0);
    let serving = sandbox.start("serve");
    for user in 0..users {
        let name = format!("user{user}");
        serving.register(&name).ok(201);
        let token = serving.token(&name);
        assert_eq!(upload(serving.address, &id_of(&serving.me(&token)), &token, &picture()), Some(200));
    }
    sandbox
}

/// The server's files of incomplete uploads.
fn parts(server: &S3Server) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![server.pictures_folder().ancestors().nth(2).unwrap().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.contains("upload") {
                found.push(path);
            }
        }
    }
    found
}

/// Adds this many bytes to the database.
async fn add_ballast(sandbox: &Sandbox, bytes: usize) {
    let db = open(sandbox).await;
    let mut tx = db.write().await.unwrap();
    let fill = format!("INSERT INTO ballast VALUES (randomblob({bytes}))");
    for statement in ["CREATE TABLE ballast (content BLOB NOT NULL)".to_owned(), fill] {
        on_db!(tx.conn(), c => sqlx::query(sqlx::AssertSqlSafe(statement)).execute(c).await.map(drop)).unwrap();
    }
    tx.commit().await.unwrap();
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_several_parts_goes_into_a_bucket_and_comes_back() {
    let server = S3Server::start().await;
    let backups = bucket(&server, "backups");
    let sandbox = in_a_bucket(&server, 2);
    add_ballast(&sandbox, 9_000_000).await;
    let public = new_key(&sandbox, "key.txt");
    let names_before = sandbox.names();
    for (place, recipients) in [
        ("s3://backups/open.tar", &[][..]),
        ("s3://backups/daily/sealed.tar.age", &["--recipient", public.as_str()]),
        // Replaces the previous backup.
        ("s3://backups/open.tar", &[]),
    ] {
        let ended = sandbox.run(&[&["backup", place], recipients].concat()).with(0);
        assert!(ended.stdout.starts_with(&format!("{place}: 2 users, 2 pictures, ")), "{}", ended.stdout);
        let file = backups.join(place.strip_prefix("s3://backups/").unwrap());
        let bytes = fs::metadata(&file).unwrap().len();
        assert!(bytes > 8 << 20 && ended.stdout.contains(&format!(" {bytes} bytes")), "{}", ended.stdout);
        let is_sealed = fs::read(&file).unwrap().starts_with(b"age-encryption.org/");
        assert_eq!(is_sealed, !recipients.is_empty(), "{place}");
    }
    assert_eq!(parts(&server), Vec::<PathBuf>::new());
    assert_eq!(sandbox.names(), names_before);
    assert_eq!(hidden(&sandbox, "data"), Vec::<String>::new());

    for (place, key) in
        [("s3://backups/open.tar", &[][..]), ("s3://backups/daily/sealed.tar.age", &["--identity", "key.txt"])]
    {
        // An installation with pictures in a folder; the only bucket is the one in the argument.
        let there = bucket_settings(elsewhere(&sandbox.path("key.txt")), &server).unset("S3_BUCKET_NAME");
        fs::rename(there.path("backup.tar"), there.path("key.txt")).unwrap();
        let ended = there.run(&[&["restore", place], key].concat()).with(0);
        assert!(ended.stdout.contains("2 users, 2 pictures"), "{}", ended.stdout);
        assert_eq!(assert_consistent(&there).await, 2);
        assert_eq!(there.names(), ["data", "key.txt", "media"]);
        let there = there.unset("S3_ENDPOINT_URL");
        there.start("serve").log_in("user0").ok(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_go_into_a_bucket_or_come_from_it_says_why() {
    let server = S3Server::start().await;
    let backups = bucket(&server, "backups");
    let sandbox = in_a_bucket(&server, 1);
    fs::write(backups.join("notes.txt"), "somebody else's").unwrap();
    fs::write(backups.join("empty"), "").unwrap();
    for (place, reason) in [
        ("s3://backups/notes.txt", "s3://backups/notes.txt exists and is not a backup; it was left alone"),
        ("s3://backups/empty", "s3://backups/empty exists and is not a backup; it was left alone"),
        ("s3://backups", "s3://backups is not a valid location: expected s3://BUCKET/NAME"),
        ("s3://backups/", "s3://backups/ is not a valid location"),
        ("s3://backups/../other", "is not a valid location"),
    ] {
        let ended = sandbox.run(&["backup", place]).with(1);
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
    let there = bucket_settings(installation(), &server);
    for (place, reason) in [
        ("s3://backups/notes.txt", "it is not a backup of this program; nothing was changed"),
        ("s3://backups/none.tar", "s3://backups/none.tar: "),
    ] {
        let ended = there.run(&["restore", place, "--force"]).with(1);
        assert!(ended.stderr.contains(reason) && ended.stderr.contains("nothing was changed"), "{}", ended.stderr);
        assert_eq!(there.names(), Vec::<String>::new());
    }
    let stranger = sandbox.set("S3_SECRET_ACCESS_KEY", "a secret that is wrong");
    let ended = stranger.run(&["backup", "s3://backups/backup.tar"]).with(1);
    assert!(!ended.all().contains("a secret that is wrong"));
    assert_eq!(names(&backups), ["empty", "notes.txt"]);
    assert_eq!(parts(&server), Vec::<PathBuf>::new());
}

/// A FIFO in place of a file: opening it blocks until there is a writer.
struct Fifo(PathBuf);

impl Fifo {
    fn in_place_of(file: &Path) -> Self {
        fs::remove_file(file).unwrap();
        assert!(Command::new("mkfifo").arg(file).status().unwrap().success());
        Self(file.to_owned())
    }
}

impl Drop for Fifo {
    fn drop(&mut self) {
        // Unblocks the server's threads that wait for a writer.
        let _ = fs::OpenOptions::new().read(true).write(true).open(&self.0);
    }
}

/// An installation whose backup has uploaded two parts and then blocks on a picture.
pub(crate) fn stuck_after_two_parts(server: &S3Server) -> (Sandbox, impl Sized) {
    let sandbox = in_a_bucket(server, 9);
    // In the order in which they are read: each name is the end of a line in the list.
    let mut files: Vec<PathBuf> =
        names(&server.pictures_folder()).iter().map(|name| server.pictures_folder().join(name)).collect();
    files.sort_by_key(|file| fs::metadata(file).unwrap().modified().unwrap());
    for file in &files[..8] {
        fs::write(file, vec![7; 3 << 20]).unwrap();
    }
    (sandbox, Fifo::in_place_of(&files[8]))
}

pub(crate) fn two_parts_are_there(server: &S3Server) {
    eventually("two parts are there", || {
        let large =
            parts(server).iter().filter(|part| fs::metadata(part).is_ok_and(|found| found.len() == 8 << 20)).count();
        (large >= 2).then_some(())
    });
}

pub(crate) fn nothing_is_left(server: &S3Server) {
    assert_eq!(parts(server), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_stopped_leaves_no_object_and_no_parts() {
    let server = S3Server::start().await;
    let backups = bucket(&server, "backups");
    let (sandbox, _fifo) = stuck_after_two_parts(&server);
    let mut process = sandbox.launch(&["backup", "s3://backups/backup.tar"]);
    two_parts_are_there(&server);
    process.signal("TERM");
    let ended = process.wait().with(1);
    assert!(ended.stderr.contains("it was stopped"), "{}", ended.stderr);
    assert_eq!(names(&backups), Vec::<String>::new());
    nothing_is_left(&server);
    assert_eq!(hidden(&sandbox, "data"), Vec::<String>::new());
}
