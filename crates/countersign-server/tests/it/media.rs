use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use countersign::testing::pictures::{self, quarters};
use serde_json::{Value, json};

use crate::s3::{BUCKET, S3Server};
use crate::sandbox::{Sandbox, eventually};
use crate::{KEY, PASSWORD, current_database};

/// The names of the pictures in a folder, without other files.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names
}

fn file_name(number: usize) -> String {
    format!("{number:032x}.jpg")
}

pub(crate) fn bucket_settings(sandbox: Sandbox, server: &S3Server) -> Sandbox {
    let policy = server.policy();
    sandbox
        .set("S3_ENDPOINT_URL", policy.endpoint_url.unwrap())
        .set("S3_BUCKET_NAME", BUCKET)
        .set("S3_ACCESS_KEY_ID", crate::s3::ACCESS_KEY)
        .set("S3_SECRET_ACCESS_KEY", crate::s3::SECRET_KEY)
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_move_to_a_bucket_and_back_and_a_copy_goes_on_where_it_was_cut_off() {
    let server = S3Server::start().await;
    let sandbox = bucket_settings(Sandbox::new(), &server);
    let (old, bucket, new) =
        (sandbox.path("old/profile_pics"), server.pictures_folder(), sandbox.path("new/profile_pics"));
    fs::create_dir_all(&old).unwrap();
    for number in 0..30 {
        fs::write(old.join(file_name(number)), format!("picture {number}")).unwrap();
    }
    fs::write(old.join("README"), "somebody else's").unwrap();
    // Left by an interrupted copy: one complete file, and one with wrong content.
    fs::create_dir_all(&bucket).unwrap();
    fs::write(bucket.join(file_name(3)), "picture 3").unwrap();
    fs::write(bucket.join(file_name(4)), "picture ?").unwrap();

    let to_bucket = ["media", "copy", "--from", "file:old", "--to", "s3://pictures"];
    let ended = sandbox.run(&to_bucket).with(0);
    assert!(
        ended.stdout.starts_with("29 copied (281 bytes), 1 already there, 0 deleted meanwhile, 0 failed"),
        "{}",
        ended.stdout
    );
    assert_eq!(ended.stderr, "", "no bar where there is no terminal");
    assert!(sandbox.run(&to_bucket).with(0).stdout.starts_with("0 copied (0 bytes), 30 already there"));
    sandbox.run(&["media", "copy", "--from", "s3://pictures", "--to", "file:new"]).with(0);
    let pictures: Vec<String> = (0..30).map(file_name).collect();
    assert_eq!(names(&new), pictures);
    for name in pictures {
        assert_eq!(fs::read(new.join(&name)).unwrap(), fs::read(old.join(&name)).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_made_says_why() {
    let server = S3Server::start().await;
    let sandbox = bucket_settings(Sandbox::new(), &server);
    for (from, to, reason) in [
        ("old", "file:new", "old is not a storage: expected file:FOLDER or s3://BUCKET"),
        ("file:old", "file:", "file: names no folder"),
        ("s3://nothing", "file:new", "the picture storage"),
    ] {
        let ended = sandbox.run(&["media", "copy", "--from", from, "--to", to]).with(1);
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
    let folder = sandbox.path("old/profile_pics");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file_name(1)), "a picture").unwrap();
    let stranger = sandbox.set("S3_SECRET_ACCESS_KEY", "a secret that is wrong");
    let ended = stranger.run(&["media", "copy", "--from", "file:old", "--to", "s3://pictures"]).with(1);
    assert!(ended.stderr.contains(&file_name(1)), "{}", ended.stderr);
    assert!(!ended.all().contains("a secret that is wrong"));
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tries_the_storage_of_pictures() {
    let database = current_database().await;
    let server = S3Server::start().await;
    let sandbox = bucket_settings(Sandbox::with_database(database.url()), &server);
    let line = |sandbox: &Sandbox| {
        let ended = sandbox.run(&["doctor"]);
        ended.stdout.lines().find(|line| line.contains("pictures:")).unwrap_or_default().to_owned()
    };
    assert!(line(&sandbox).starts_with("ok") && line(&sandbox).contains("/pictures can be written, read and deleted"));
    assert_eq!(names(&server.pictures_folder()), Vec::<String>::new());
    let stranger = sandbox.set("S3_SECRET_ACCESS_KEY", "another secret");
    assert!(line(&stranger).starts_with("fail"), "{}", line(&stranger));
    assert!(!line(&stranger).contains("another secret"));
}

#[test]
fn settings_of_pictures_that_do_not_go_together_are_named() {
    for (name, value, problem) in [
        ("S3_ACCESS_KEY_ID", "key", "S3_SECRET_ACCESS_KEY is not set, but S3_ACCESS_KEY_ID is"),
        ("S3_ENDPOINT_URL", "https://minio.example.org", "S3_BUCKET_NAME is not set, but S3_ENDPOINT_URL is"),
        ("MEDIA_DELIVERY", "presigned", "MEDIA_DELIVERY needs S3_BUCKET_NAME, which is not set"),
        ("MEDIA_URL", "cdn.example.org", "expected a URL such as"),
        ("S3_BUCKET_NAME", "a/b", "expected 3 to 63"),
    ] {
        let ended = Sandbox::new().set("SECRET_KEY", KEY).set(name, value).run(&["serve"]).with(1);
        assert!(ended.stderr.contains(problem), "{}", ended.stderr);
    }
}

/// Sends a request that closes the connection; `None` if the connection broke.
pub(crate) fn send(address: SocketAddr, head: &str, headers: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let head =
        format!("{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let status = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
    Some((status, answer.split_off(end + 4)))
}

pub(crate) fn upload(address: SocketAddr, id: &str, token: &str, picture: &[u8]) -> Option<u16> {
    let part = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    let body = [part.as_bytes(), picture, b"\r\n--b--\r\n"].concat();
    let headers = format!("Authorization: Bearer {token}\r\nContent-Type: multipart/form-data; boundary=b\r\n");
    send(address, &format!("PATCH /api/users/{id}/picture"), &headers, &body).map(|(status, _)| status)
}

fn profile(address: SocketAddr, id: &str) -> Value {
    serde_json::from_slice(&send(address, &format!("GET /api/users/{id}"), "", b"").unwrap().1).unwrap()
}

/// The short version of `bench/pictures/run kills`.
#[tokio::test(flavor = "multi_thread")]
async fn killed_during_uploads_no_user_has_a_dead_picture_and_the_sweep_leaves_no_orphan() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("MEDIA_DIR", "media");
    let picture = pictures::jpeg(320, 240, &quarters(320, 240), 0);
    let mut server = sandbox.start("serve");
    let json = "Content-Type: application/json\r\n";
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let users: Vec<(String, String)> = (0..3)
        .map(|number| {
            let email = format!("user{number}@example.com");
            let body = json!({ "username": format!("user{number}"), "email": email, "password": PASSWORD }).to_string();
            let made = send(server.address, "POST /api/users", json, body.as_bytes()).unwrap().1;
            let body = format!("username={email}&password={PASSWORD}");
            let login = send(server.address, "POST /api/users/token", form, body.as_bytes()).unwrap().1;
            let text = |bytes: &[u8], name: &str| {
                serde_json::from_slice::<Value>(bytes).unwrap()[name].as_str().unwrap().to_owned()
            };
            (text(&made, "id"), text(&login, "access_token"))
        })
        .collect();
    for round in 0..4 {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let (address, is_over, picture) = (server.address, &is_over, &picture);
            for (id, token) in &users {
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        upload(address, id, token, picture);
                    }
                });
            }
            // At a different moment each round: after a number of new files.
            let before = names(&sandbox.path("media/profile_pics")).len();
            eventually("pictures are uploaded", || {
                (names(&sandbox.path("media/profile_pics")).len() > before + round || round > 0).then_some(())
            });
            server.signal("KILL");
            is_over.store(true, Ordering::Relaxed);
        });
        server.process.wait();
        server = sandbox.start("serve");
        for (id, _) in &users {
            let url = profile(server.address, id)["image_path"].as_str().unwrap().to_owned();
            let (status, file) = send(server.address, &format!("GET {url}"), "", b"").unwrap();
            assert!(status == 200 && file.ends_with(&[0xff, 0xd9]), "{url}: {status}");
        }
    }
    sandbox.run(&["media", "sweep", "--age-minutes", "0"]).with(0);
    let files =
        users.iter().filter_map(|(id, _)| profile(server.address, id)["image_file"].as_str().map(str::to_owned));
    let mut files: Vec<String> = files.collect();
    files.sort();
    assert_eq!(names(&sandbox.path("media/profile_pics")), files);
}
