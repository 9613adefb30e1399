//! The feed: its contents, its cache headers, and how often it is rebuilt.

use axum::body::Body;
use axum::http::Request;
use countersign::testing::{Answer, TestApp};
use jiff::SignedDuration;
use serde_json::json;

use crate::{blog, path_of, publish};

async fn ask(app: &TestApp, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().uri("/feed.xml").header("host", "localhost:8000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.anonymous().send_request(request.body(Body::empty()).unwrap()).await
}

async fn feed(app: &TestApp) -> String {
    let answer = ask(app, &[]).await;
    assert_eq!(answer.status, 200);
    answer.text()
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers[name].to_str().unwrap()
}

#[tokio::test]
async fn the_feed_says_when_a_post_was_edited_and_of_the_newest_change() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let first = publish(&ada, "First").await;
    app.clock.advance(SignedDuration::from_mins(10));
    publish(&ada, "Second").await;
    assert_eq!(feed(&app).await.matches("<updated>2026-11-24T08:10:00Z</updated>").count(), 2, "the feed, and a post");
    app.clock.advance(SignedDuration::from_mins(10));
    let before = ask(&app, &[]).await;
    // A request that changes nothing is not an edit.
    ada.patch(&path_of(&first), json!({ "title": "First" })).await.ok(200);
    ada.patch(&path_of(&first), json!({})).await.ok(200);
    assert_eq!(header(&ask(&app, &[]).await, "etag"), header(&before, "etag"));
    ada.patch(&path_of(&first), json!({ "content": "Otherwise" })).await.ok(200);
    let feed = feed(&app).await;
    assert!(feed.starts_with("<?xml"), "{feed}");
    let head = feed.split("<entry").next().unwrap();
    assert!(head.contains("<updated>2026-11-24T08:20:00Z</updated>"), "{feed}");
    let edited = "<published>2026-11-24T08:00:00Z</published>\n<updated>2026-11-24T08:20:00Z</updated>";
    let unedited = "<published>2026-11-24T08:10:00Z</published>\n<updated>2026-11-24T08:10:00Z</updated>";
    assert!(feed.contains(edited) && feed.contains(unedited), "{feed}");
    let page = app.browser().open(&path_of(&first).replace("/api", "")).await.text();
    assert!(page.contains("<meta property=\"article:modified_time\" content=\"2026-11-24T08:20:00Z\">"), "{page}");
}

#[tokio::test]
async fn a_feed_that_the_reader_has_is_not_sent_again() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let post = publish(&ada, "First").await;
    app.clock.advance(SignedDuration::from_secs(5));
    let second = publish(&ada, "Second").await;
    let sent = ask(&app, &[]).await;
    let (tag, modified) = (header(&sent, "etag").to_owned(), header(&sent, "last-modified").to_owned());
    assert!(tag.starts_with("W/\"") && tag.ends_with('"'), "{tag}");
    assert_eq!(modified, "Tue, 24 Nov 2026 08:00:05 GMT");
    let strong = tag.trim_start_matches("W/").to_owned();
    for known in [
        &[("if-none-match", &*tag)][..],
        &[("if-none-match", &*strong)],
        &[("if-none-match", "*")],
        &[("if-none-match", &*format!("\"other\", {tag}"))],
        &[("if-none-match", "\"other\""), ("if-none-match", &*tag)],
        &[("if-modified-since", &*modified)],
        // The entity tag takes precedence.
        &[("if-none-match", &*tag), ("if-modified-since", "Tue, 24 Nov 2026 08:00:00 GMT")],
    ] {
        let answer = ask(&app, known).await;
        assert_eq!((answer.status, answer.text()), (304, String::new()), "{known:?}");
        assert_eq!((header(&answer, "etag"), header(&answer, "last-modified")), (&*tag, &*modified));
        assert!(answer.headers.contains_key("cache-control"));
    }
    for unknown in [
        &[("if-none-match", "\"other\"")][..],
        &[("if-none-match", "\"other\""), ("if-modified-since", &*modified)],
        &[("if-modified-since", "Tue, 24 Nov 2026 08:00:00 GMT")],
        &[("if-modified-since", "yesterday")],
    ] {
        assert_eq!(ask(&app, unknown).await.status, 200, "{unknown:?}");
    }
    // Deleting the newest post restores the previous feed.
    ada.delete(&path_of(&second)).await.ok(204);
    for header in [("if-none-match", &*tag), ("if-modified-since", &*modified)] {
        let answer = ask(&app, &[header]).await;
        assert_eq!(answer.status, 200, "{header:?}");
        assert!(!answer.text().contains("Second"));
    }
    ada.delete(&path_of(&post)).await.ok(204);
    assert!(feed(&app).await.contains("<updated>1970-01-01T00:00:00Z</updated>"));
}

#[tokio::test]
async fn a_feed_is_kept_for_a_minute_unless_a_post_changes_here() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let post = publish(&ada, "First").await;
    let age = async |seconds: &str| {
        let answer = ask(&app, &[]).await;
        assert_eq!(header(&answer, "cache-control"), format!("public, max-age={seconds}"));
        answer.text()
    };
    age("60").await;
    app.clock.advance(SignedDuration::from_secs(20));
    // Another instance may change a name, too, so names may be stale.
    ada.patch(&format!("/api/users/{}", ada.id), json!({ "username": "lovelace" })).await.ok(200);
    assert!(age("40").await.contains("<name>ada</name>"));
    app.clock.advance(SignedDuration::from_secs(40));
    assert!(age("60").await.contains("<name>lovelace</name>"));
    app.clock.advance(SignedDuration::from_secs(1));
    ada.patch(&path_of(&post), json!({ "title": "Edited" })).await.ok(200);
    assert!(age("60").await.contains("<title>Edited</title>"));
    let other = publish(&ada, "Second").await;
    assert!(age("60").await.contains("<title>Second</title>"));
    ada.delete(&path_of(&other)).await.ok(204);
    assert!(!age("60").await.contains("<title>Second</title>"));
    // A clock that goes back does not extend the cache.
    app.clock.advance(SignedDuration::from_hours(-1));
    age("60").await;
}

#[tokio::test]
async fn what_is_in_the_feed_leads_where_it_leads_on_the_page() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let text = "[a](/posts/1) ![b](c.png) [d](#e) [f](https://other.example/g)";
    let post = ada.post("/api/posts", json!({ "title": "Links", "content": text })).await.ok(201);
    let address = format!("http://localhost:8000/posts/{}", post["id"].as_str().unwrap());
    let feed = feed(&app).await;
    for part in [
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:base=\"http://localhost:8000/\">".to_owned(),
        format!("<entry xml:base=\"{address}\">"),
        "&lt;a href=&quot;http://localhost:8000/posts/1&quot;".to_owned(),
        "&lt;a href=&quot;http://localhost:8000/posts/c.png&quot;".to_owned(),
        format!("&lt;a href=&quot;{address}#e&quot;"),
        "&lt;a href=&quot;https://other.example/g&quot;".to_owned(),
        "<summary>a b d f</summary>".to_owned(),
    ] {
        assert!(feed.contains(&part), "{part}: {feed}");
    }
}

#[tokio::test]
async fn a_post_as_long_as_a_book_is_in_the_feed_with_its_summary() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let text = "Many words ".repeat(90_000);
    ada.post("/api/posts", json!({ "title": "A book", "content": text })).await.ok(201);
    let feed = feed(&app).await;
    assert!(feed.contains("<summary>Many words Many words") && !feed.contains("<content"), "{} bytes", feed.len());
}
