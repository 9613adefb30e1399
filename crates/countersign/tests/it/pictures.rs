//! Profile pictures on disk and in a bucket.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use countersign::config::{Delivery, StoragePolicy};
use countersign::operator::{MissingPicture, PICTURE_AGE_MIN, count_pictures, follow_picture, list_pictures};
use countersign::testing::pictures::{self, quarters};
use countersign::testing::{Answer, Caller, TestApp, User};
use countersign_db::testing::is_pooled;
use countersign_db::{DatabaseKind, Db, SnapshotError};
use futures_util::StreamExt as _;
use jiff::SignedDuration;

use crate::s3::{self, S3Server};
use crate::{UNKNOWN_ID, faults};

const TOO_LARGE: &str = "File too large. Maximum size is 5MB";
const INVALID: &str = "Invalid image file. Please upload a valid image (JPEG, PNG, GIF, WebP).";

fn a_picture() -> Vec<u8> {
    pictures::jpeg(640, 480, &quarters(640, 480), 0)
}

fn path(user: &User) -> String {
    format!("/api/users/{}/picture", user.id)
}

/// The names of the files in a folder; empty if it does not exist.
fn files(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return BTreeSet::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    // The test server stores hidden files of its own next to the objects.
    names.filter(|name| !name.starts_with('.')).collect()
}

async fn fetch(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.anonymous().send_request(request.body(Body::empty()).unwrap()).await
}

fn text(answer: &Answer, name: &str) -> String {
    answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// Runs `check` with pictures on disk and in a bucket; the instance serves both, so that the requests are the same.
async fn on_both_storages(check: impl AsyncFn(TestApp, &Path)) {
    let app = TestApp::start().await;
    let folder = app.pictures_folder();
    check(app, &folder).await;
    let server = S3Server::start().await;
    let app = TestApp::with(|config| {
        config.media.storage = StoragePolicy::S3(server.policy());
    })
    .await;
    check(app, &server.pictures_folder()).await;
}

#[tokio::test]
async fn a_picture_is_set_replaced_fetched_and_removed() {
    on_both_storages(async |app, folder| {
        let ada = app.user("ada").await;
        let set = ada.upload(&path(&ada), "me.jpg", &a_picture()).await.ok(200);
        let file = set["image_file"].as_str().unwrap();
        assert_eq!(file.len(), 36);
        assert_eq!(set["image_path"], format!("/media/profile_pics/{file}"));
        assert_eq!(set["email"], "ada@example.com");
        assert_eq!(ada.get("/api/users/me").await.ok(200), set);
        assert_eq!(
            app.anonymous().get(&format!("/api/users/{}", ada.id)).await.ok(200)["image_file"],
            set["image_file"]
        );
        let fetched = fetch(&app, set["image_path"].as_str().unwrap(), &[]).await;
        fetched.ok(200);
        assert!(fetched.body.starts_with(&[0xff, 0xd8, 0xff]));
        assert_eq!(text(&fetched, "content-type"), "image/jpeg");
        assert_eq!(text(&fetched, "x-content-type-options"), "nosniff");
        assert_eq!(text(&fetched, "cache-control"), "public, max-age=31536000, immutable");
        assert!(text(&fetched, "content-security-policy").starts_with("default-src 'none'; sandbox"));

        let again = ada.upload(&path(&ada), "../../evil.php", &a_picture()).await.ok(200);
        assert_ne!(again["image_file"], set["image_file"]);
        app.run_jobs().await;
        assert_eq!(files(folder), BTreeSet::from([again["image_file"].as_str().unwrap().to_owned()]));
        fetch(&app, set["image_path"].as_str().unwrap(), &[]).await.ok(404);

        let removed = ada.delete(&path(&ada)).await.ok(200);
        assert!(removed["image_file"].is_null());
        assert_eq!(removed["image_path"], "/static/profile_pics/default.jpg");
        app.run_jobs().await;
        assert!(files(folder).is_empty());
        let body = ada.delete(&path(&ada)).await.problem(400, "no_profile_picture");
        assert_eq!(body["detail"], "No profile picture to delete");
    })
    .await;
}

#[tokio::test]
async fn with_an_account_its_picture_goes() {
    on_both_storages(async |app, folder| {
        let ada = app.user("ada").await;
        ada.upload(&path(&ada), "me.jpg", &a_picture()).await.ok(200);
        assert_eq!(files(folder).len(), 1);
        ada.delete(&format!("/api/users/{}", ada.id)).await.ok(204);
        app.run_jobs().await;
        assert!(files(folder).is_empty());
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_picture_cannot_be_touched_whether_or_not_they_exist() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    for other in [ada.id.to_string(), UNKNOWN_ID.to_owned()] {
        let path = format!("/api/users/{other}/picture");
        for bytes in [a_picture(), Vec::new(), vec![0; 6_000_000]] {
            let body = eve.upload(&path, "me.jpg", &bytes).await.problem(403, "not_your_account");
            assert_eq!(body["detail"], "Not authorized to update this user's picture");
        }
        let body = eve.send("PATCH", &path, "text/plain", "x").await.problem(403, "not_your_account");
        assert_eq!(body["detail"], "Not authorized to update this user's picture");
        let body = eve.delete(&path).await.problem(403, "not_your_account");
        assert_eq!(body["detail"], "Not authorized to delete this user's picture");
        app.anonymous().upload(&path, "me.jpg", &a_picture()).await.problem(401, "not_authenticated");
        app.anonymous().delete(&path).await.problem(401, "not_authenticated");
    }
    let body = eve.upload("/api/users/nobody/picture", "me.jpg", &a_picture()).await.ok(422);
    assert_eq!(faults(&body), ["uuid_parsing path.user_id"]);
}

#[tokio::test]
async fn exactly_5_mib_are_taken_and_a_byte_more_is_not() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let mut bytes = a_picture();
    bytes.resize(5 * 1024 * 1024, 0);
    ada.upload(&path(&ada), "me.jpg", &bytes).await.ok(200);
    bytes.push(0);
    let body = ada.upload(&path(&ada), "me.jpg", &bytes).await.problem(400, "file_too_large");
    assert_eq!(body["detail"], TOO_LARGE);
}

#[tokio::test]
async fn an_upload_that_is_too_large_is_refused_while_it_comes_in() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    // The body never ends: a response shows that the server did not wait for its end.
    let piece = Bytes::from(vec![0; 1024 * 1024]);
    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    let pieces =
        futures_util::stream::once(async move { Bytes::from(head) }).chain(futures_util::stream::repeat(piece));
    let body = Body::from_stream(pieces.map(Ok::<_, std::io::Error>));
    let answer = ada.send("PATCH", &path(&ada), "multipart/form-data; boundary=b", body).await;
    assert_eq!(answer.problem(400, "file_too_large")["detail"], TOO_LARGE);
    let parts = "--b\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n".to_owned() + &"x".repeat(200_000);
    let answer = ada.send("PATCH", &path(&ada), "multipart/form-data; boundary=b", parts).await;
    answer.problem(413, "payload_too_large");
}

#[tokio::test]
async fn an_upload_that_stops_or_drips_is_given_up() {
    let app = TestApp::with(|config| {
        config.media.upload_pause_max = Duration::from_millis(200);
        config.media.upload_time_max = Duration::from_millis(600);
    })
    .await;
    let ada = app.user("ada").await;
    let head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    let begun = move || futures_util::stream::once(async move { Bytes::from(head) });
    let stops = Body::from_stream(begun().chain(futures_util::stream::pending()).map(Ok::<_, std::io::Error>));
    ada.send("PATCH", &path(&ada), "multipart/form-data; boundary=b", stops).await.problem(408, "upload_too_slow");
    let ticks = futures_util::stream::unfold(tokio::time::interval(Duration::from_millis(50)), async |mut ticks| {
        ticks.tick().await;
        Some((Bytes::from("x"), ticks))
    });
    let drips = Body::from_stream(begun().chain(ticks).map(Ok::<_, std::io::Error>));
    ada.send("PATCH", &path(&ada), "multipart/form-data; boundary=b", drips).await.problem(408, "upload_too_slow");
}

#[tokio::test]
async fn a_form_without_the_file_names_the_field() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let send =
        async |content_type: &str, body: &str| ada.send("PATCH", &path(&ada), content_type, body.to_owned()).await;
    let form = "multipart/form-data; boundary=b";
    for (content_type, body, fault) in [
        (form, "--b\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"a\"\r\n\r\nx\r\n--b--", "missing"),
        (form, "--b--\r\n", "missing"),
        ("application/json", "{}", "missing"),
        (form, "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nx\r\n--b--", "value_error"),
        (
            form,
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\
             \r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nx\r\n--b--",
            "value_error",
        ),
    ] {
        let body = send(content_type, body).await.problem(422, "invalid_fields");
        assert_eq!(faults(&body), [format!("{fault} body.file")]);
    }
    for (content_type, body) in [
        ("multipart/form-data", "--b--"),
        (form, ""),
        (form, "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\ncut off"),
        (form, "--bx"),
    ] {
        send(content_type, body).await.problem(400, "unreadable_body");
    }
}

#[tokio::test]
async fn what_is_no_picture_is_refused_whatever_it_is_called_and_nothing_but_pictures_comes_back() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let markup = |bytes: &[u8]| {
        [&b"<script"[..], b"<svg", b"<html"].iter().any(|tag| bytes.windows(tag.len()).any(|w| w == *tag))
    };
    // Pictures are checked before the database is asked, so a sample is enough behind a pooler.
    let one_of = if is_pooled() { 4 } else { 1 };
    let mut taken = 0;
    for (name, bytes) in pictures::hostile().into_iter().step_by(one_of) {
        let answer = ada.upload(&path(&ada), "picture.jpg", &bytes).await;
        if answer.status == 400 {
            assert_eq!(answer.problem(400, "invalid_image")["detail"], INVALID, "{name}");
            continue;
        }
        taken += 1;
        let url = answer.ok(200)["image_path"].as_str().unwrap().to_owned();
        let fetched = fetch(&app, &url, &[]).await;
        assert!(fetched.body.starts_with(&[0xff, 0xd8, 0xff]) && !markup(&fetched.body), "{name}");
        assert_eq!(text(&fetched, "content-type"), "image/jpeg", "{name}");
    }
    assert!(taken * one_of >= 5, "{taken}");
}

#[tokio::test]
async fn damaged_pictures_are_refused_or_taken_and_the_earlier_one_stays() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let good = pictures::good();
    let mut present = serde_json::Value::Null;
    for seed in 10_000..10_100 {
        let (name, bytes) = pictures::damaged(&good, seed);
        let answer = ada.upload(&path(&ada), "picture.jpg", &bytes).await;
        match answer.status {
            200 => present = answer.ok(200)["image_file"].clone(),
            _ => drop(answer.problem(400, "invalid_image")),
        }
        assert_eq!(ada.get("/api/users/me").await.ok(200)["image_file"], present, "{name} {seed}");
    }
}

#[tokio::test]
async fn many_pictures_of_one_user_at_once_leave_one() {
    on_both_storages(async |app, folder| {
        let ada = app.user("ada").await;
        let (picture, path) = (a_picture(), path(&ada));
        let uploads = (0..8).map(|_| ada.upload(&path, "me.jpg", &picture));
        for answer in futures_util::future::join_all(uploads).await {
            answer.ok(200);
        }
        app.run_jobs().await;
        let file = ada.get("/api/users/me").await.ok(200)["image_file"].as_str().unwrap().to_owned();
        assert_eq!(files(folder), BTreeSet::from([file]));
    })
    .await;
}

#[tokio::test]
async fn a_picture_is_served_in_parts_and_not_again_to_whoever_has_it() {
    on_both_storages(async |app, _| {
        let ada = app.user("ada").await;
        let url =
            ada.upload(&path(&ada), "me.jpg", &a_picture()).await.ok(200)["image_path"].as_str().unwrap().to_owned();
        let whole = fetch(&app, &url, &[]).await;
        let tag = text(&whole, "etag");
        assert_eq!(text(&whole, "accept-ranges"), "bytes");
        for list in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let known = fetch(&app, &url, &[("if-none-match", &list)]).await;
            assert_eq!((known.status, known.body.len()), (304, 0), "{list}");
            assert_eq!(text(&known, "etag"), tag);
        }
        fetch(&app, &url, &[("if-none-match", "\"x\"")]).await.ok(200);
        let part = fetch(&app, &url, &[("range", "bytes=2-5"), ("if-range", &tag)]).await;
        assert_eq!((part.status, &part.body[..]), (206, &whole.body[2..6]));
        assert_eq!(text(&part, "content-range"), format!("bytes 2-5/{}", whole.body.len()));
        assert_eq!(fetch(&app, &url, &[("range", "bytes=2-5"), ("if-range", "\"x\"")]).await.status, 200);
        assert_eq!(fetch(&app, &url, &[("range", "bytes=0-1,3-4")]).await.body, whole.body);
        let beyond = fetch(&app, &url, &[("range", "bytes=9999999-")]).await;
        assert_eq!((beyond.status, text(&beyond, "content-range")), (416, format!("bytes */{}", whole.body.len())));
    })
    .await;
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let app = TestApp::start().await;
    let secret = app.pictures_folder().parent().unwrap().join("secret.jpg");
    fs::write(&secret, "secret").unwrap();
    for file in ["..%2fsecret.jpg", "%2e%2e%2fsecret.jpg", "..\\secret.jpg", "secret.jpg", ".", "x%00.jpg", "0.jpg"] {
        let answer = fetch(&app, &format!("/media/profile_pics/{file}"), &[]).await;
        assert_eq!(answer.status, 404, "{file}");
    }
}

#[tokio::test]
async fn a_user_without_a_picture_has_a_default_one_of_their_own() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let default = fetch(&app, "/static/profile_pics/default.jpg", &[]).await;
    assert_eq!((default.status, text(&default, "content-type")), (200, "image/jpeg".to_owned()));
    let drawn = fetch(&app, &format!("/media/profile_pics/default/{}.svg", ada.id), &[]).await;
    drawn.ok(200);
    assert_eq!(text(&drawn, "content-type"), "image/svg+xml; charset=utf-8");
    assert!(text(&drawn, "content-security-policy").contains("default-src 'none'; sandbox"));
    assert!(drawn.text().contains(">A</text>"));
    for file in [format!("{UNKNOWN_ID}.svg"), "nobody.svg".to_owned(), ada.id.to_string()] {
        fetch(&app, &format!("/media/profile_pics/default/{file}"), &[]).await.ok(404);
    }
}

#[tokio::test]
async fn from_a_bucket_pictures_come_directly_or_by_a_url_that_is_valid_for_a_while() {
    let server = S3Server::start().await;
    let app = TestApp::with(|config| {
        config.media.storage = StoragePolicy::S3(server.policy());
        config.media.delivery = Delivery::Direct;
    })
    .await;
    let ada = app.user("ada").await;
    let set = ada.upload(&path(&ada), "me.jpg", &a_picture()).await.ok(200);
    let file = set["image_file"].as_str().unwrap();
    assert_eq!(set["image_path"], format!("{}/profile_pics/{file}", server.policy().public_url()));

    let private = app.another_instance(|mut config| {
        config.media.storage = StoragePolicy::S3(server.policy());
        config.media.delivery = Delivery::Presigned;
        config
    });
    let url = format!("/media/profile_pics/{file}");
    assert_eq!(private.bearer(ada.token().map(str::to_owned)).get("/api/users/me").await.ok(200)["image_path"], url);
    let found = fetch(&private, &url, &[]).await;
    assert_eq!((found.status, text(&found, "cache-control")), (302, "private, max-age=300".to_owned()));
    let (unsigned, _) = text(&found, "location").split_once('?').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!(unsigned, format!("{}/profile_pics/{file}", server.policy().public_url()));
    let read = get_over_http(&text(&found, "location")).await;
    assert!(read.starts_with(b"HTTP/1.1 200") && read.windows(3).any(|bytes| bytes == [0xff, 0xd8, 0xff]));
    let refused = get_over_http(&unsigned).await;
    assert!(refused.starts_with(b"HTTP/1.1 403"), "{}", String::from_utf8_lossy(&refused));
}

/// Sends a `GET` and returns all bytes of the response.
async fn get_over_http(url: &str) -> Vec<u8> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    answer
}

async fn refuses_and_keeps(app: &TestApp, ada: &Caller, path: &str) {
    let answer = ada.upload(path, "me.jpg", &a_picture()).await;
    let body = answer.problem(503, "storage_unavailable");
    assert_eq!(body["detail"], "Failed to upload image. Please try again.");
    assert_eq!(text(&answer, "retry-after"), "1");
    assert!(ada.get("/api/users/me").await.ok(200)["image_file"].is_null());
    let known = format!("/media/profile_pics/{}.jpg", "0".repeat(32));
    fetch(app, &known, &[]).await.problem(503, "storage_unavailable");
}

#[tokio::test]
async fn while_the_bucket_is_away_pictures_stay_as_they_are() {
    let nobody = s3::nobody().await;
    let app = TestApp::with(|config| config.media.storage = StoragePolicy::S3(nobody)).await;
    let ada = app.user("ada").await;
    refuses_and_keeps(&app, &ada, &path(&ada)).await;
}

#[tokio::test]
async fn a_bucket_that_refuses_the_signature_gets_nothing() {
    let server = S3Server::start().await;
    let app = TestApp::with(|config| config.media.storage = StoragePolicy::S3(server.policy_of_a_stranger())).await;
    let ada = app.user("ada").await;
    refuses_and_keeps(&app, &ada, &path(&ada)).await;
    assert!(files(&server.pictures_folder()).is_empty());
    assert!(app.accounts().storage().unwrap().check().await.is_err());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("profile_pics"), "a file where the folder should be").unwrap();
    let media = folder.path().to_owned();
    let app = TestApp::with(|config| config.media.storage = StoragePolicy::Disk { folder: media }).await;
    let ada = app.user("ada").await;
    let body = ada.upload(&path(&ada), "me.jpg", &a_picture()).await.problem(503, "storage_unavailable");
    assert_eq!(body["detail"], "Failed to upload image. Please try again.");
}

#[tokio::test]
async fn the_sweep_takes_what_is_nobodys_and_old_enough() {
    on_both_storages(async |app, folder| {
        let ada = app.user("ada").await;
        let file =
            ada.upload(&path(&ada), "me.jpg", &a_picture()).await.ok(200)["image_file"].as_str().unwrap().to_owned();
        let orphan = format!("{}.jpg", "a".repeat(32));
        fs::write(folder.join(&orphan), "an orphan").unwrap();
        fs::write(folder.join("README"), "somebody else's").unwrap();
        let all = BTreeSet::from([file.clone(), orphan, "README".to_owned()]);
        // By the test's clock, the files are new or from the future.
        app.clock.advance(SignedDuration::from_secs(-86_400));
        let swept = app.accounts().sweep_pictures(PICTURE_AGE_MIN).await.unwrap();
        assert_eq!((swept.kept, swept.deleted), (2, 0));
        assert_eq!(files(folder), all);
        app.clock.advance(SignedDuration::from_hours(24 * 365 * 10));
        let swept = app.accounts().sweep_pictures(PICTURE_AGE_MIN).await.unwrap();
        assert_eq!((swept.kept, swept.deleted), (1, 1));
        assert_eq!(files(folder), BTreeSet::from([file, "README".to_owned()]));
        app.accounts().storage().unwrap().check().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_copy_of_the_database_follows_pictures_that_are_replaced_or_taken_away() {
    let app = TestApp::start().await;
    let live = app.accounts().db();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copy.db");
    if live.kind() == DatabaseKind::Postgres {
        assert!(matches!(live.snapshot_into(&file).await, Err(SnapshotError::NotSqlite)));
        return;
    }
    let mut users = Vec::new();
    for name in ["ada", "grace", "joan", "mary"] {
        let user = app.user(name).await;
        user.upload(&path(&user), "me.jpg", &a_picture()).await.ok(200);
        users.push(user);
    }
    live.snapshot_into(&file).await.unwrap();
    let copy = Db::open_copy(&file).await.unwrap();
    let copied = list_pictures(&copy, None).await.unwrap();
    assert_eq!(copied, list_pictures(live, None).await.unwrap());
    assert_eq!((copied.len(), count_pictures(live).await.unwrap()), (4, 4));
    assert!(list_pictures(&copy, Some(copied[3].0)).await.unwrap().is_empty());

    let [ada, grace, joan, mary] = &users[..] else { unreachable!() };
    ada.upload(&path(ada), "me.jpg", &a_picture()).await.ok(200);
    grace.delete(&path(grace)).await.ok(200);
    joan.delete(&format!("/api/users/{}", joan.id)).await.ok(204);
    let mut became = Vec::new();
    for user in [ada, grace, joan, mary] {
        let (_, file) = copied.iter().find(|(id, _)| *id == user.id).unwrap();
        became.push(follow_picture(live, &copy, user.id, file.as_ref().unwrap(), app.clock.now()).await.unwrap());
    }
    let present = list_pictures(live, None).await.unwrap();
    let (_, new) = present.iter().find(|(id, _)| *id == ada.id).unwrap();
    let replaced = MissingPicture::Replaced(new.clone().unwrap());
    assert_eq!(became, [replaced, MissingPicture::Removed, MissingPicture::Removed, MissingPicture::Lost]);
    assert_eq!(list_pictures(&copy, None).await.unwrap(), present);
    copy.check_whole().await.unwrap();
    assert_eq!(copy.count_rows().await.unwrap()["auth_users"], 4, "joan had been there");
}

#[tokio::test]
async fn the_sweep_takes_what_an_interrupted_write_left() {
    let app = TestApp::start().await;
    let folder = app.pictures_folder();
    assert_eq!(app.accounts().sweep_pictures(PICTURE_AGE_MIN).await.unwrap().deleted, 0);
    fs::create_dir(&folder).unwrap();
    let staged = format!("{}.jpg#1", "a".repeat(32));
    fs::write(folder.join(&staged), "half").unwrap();
    fs::write(folder.join("b.jpg#1"), "somebody else's").unwrap();
    app.clock.advance(SignedDuration::from_hours(24 * 365 * 10));
    assert_eq!(app.accounts().sweep_pictures(PICTURE_AGE_MIN).await.unwrap().deleted, 1);
    assert_eq!(files(&folder), BTreeSet::from(["b.jpg#1".to_owned()]));
}
