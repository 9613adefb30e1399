//! The blog's pages in a browser without JavaScript.

use countersign::testing::{Answer, Browser, PASSWORD, TestApp, User};
use jiff::SignedDuration;
use serde_json::json;

use crate::walk::{Person, page_path, page_routes};
use crate::{UNKNOWN_ID, blog, publish, unlimited_blog};

#[track_caller]
fn shows(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    assert!(answer.text().contains(text), "{text}: {}", answer.text());
}

async fn logged_in(app: &TestApp, user: &User) -> Browser {
    let browser = app.browser();
    assert_eq!(browser.log_in(&user.email, PASSWORD).await.status, 303);
    browser
}

async fn post_with(app: &TestApp, title: &str, content: &str) -> String {
    let author = app.user("author").await;
    let post = author.post("/api/posts", json!({ "title": title, "content": content })).await.ok(201);
    post["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_front_page_has_the_newest_posts_and_leads_to_the_others() {
    let app = blog().await;
    let ada = app.user("ada").await;
    for n in 0..12 {
        publish(&ada, &format!("Post {n:02}")).await;
        app.clock.advance(SignedDuration::from_secs(1));
    }
    let reader = app.browser();
    for path in ["/", "/posts"] {
        let page = reader.open(path).await;
        shows(&page, 200, "About Post 11.");
        shows(&page, 200, "Load More");
        shows(&page, 200, "<time datetime=\"2026-11-24T08:00:11Z\">24 November 2026</time>");
        shows(&page, 200, &format!("/media/profile_pics/default/{}.svg", ada.id));
        shows(&page, 200, &format!("<a href=\"/users/{}/posts\"><bdi>ada</bdi></a>", ada.id));
        let text = page.text();
        assert!(text.contains("About Post 02.") && !text.contains("About Post 01."));
        let more = text.split("href=\"").find(|part| part.starts_with("/posts?after=")).unwrap();
        let rest = reader.open(more.split('"').next().unwrap()).await;
        shows(&rest, 200, "About Post 00.");
        assert!(!rest.text().contains("Load More") && !rest.text().contains("About Post 02."));
    }
    shows(&reader.open("/posts?after=nonsense").await, 422, "Invalid request. Please check your input and try again.");
}

#[tokio::test]
async fn an_empty_blog_says_how_to_begin() {
    let app = blog().await;
    shows(&app.browser().open("/").await, 200, "Nothing has been written here yet.");
    let ada = app.user("ada").await;
    shows(&logged_in(&app, &ada).await.open("/").await, 200, "href=\"/posts/new\"");
    shows(
        &app.browser().open(&format!("/users/{}/posts", ada.id)).await,
        200,
        "\u{2068}ada\u{2069} has not written anything yet.",
    );
}

#[tokio::test]
async fn a_posts_page_begins_its_title_with_that_of_the_post() {
    let app = blog().await;
    let id = post_with(&app, "Tea & <bread>", "With **two** cups.\nAnd a line.").await;
    let page = app.browser().open(&format!("/posts/{id}")).await;
    shows(&page, 200, "<title>Tea &amp; &lt;bread&gt; · ");
    shows(&page, 200, "<strong>two</strong>");
    shows(&page, 200, "<meta property=\"og:title\" content=\"Tea &amp; &lt;bread&gt;\">");
    shows(&page, 200, "<meta property=\"og:description\" content=\"With two cups. And a line.\">");
    assert!(!page.text().contains("/edit"), "only the author may edit");
}

#[tokio::test]
async fn unknown_and_unreadable_ids_have_pages_of_their_status() {
    let app = blog().await;
    let reader = app.browser();
    let text = "An error occurred. Please check your request and try again.";
    for path in [format!("/posts/{UNKNOWN_ID}"), format!("/users/{UNKNOWN_ID}/posts"), "/nothing".to_owned()] {
        let page = reader.open(&path).await;
        shows(&page, 404, text);
        assert_eq!(
            (&page.headers["x-frame-options"], &page.headers["x-content-type-options"]),
            (&"DENY".parse().unwrap(), &"nosniff".parse().unwrap())
        );
    }
    for path in ["/posts/999", "/users/999/posts"] {
        shows(&reader.open(path).await, 404, text);
    }
    for path in ["/posts/unreadable", "/users/unreadable/posts"] {
        shows(&reader.open(path).await, 422, "Invalid request. Please check your input and try again.");
    }
    reader.set_cookie("language", "de");
    shows(&reader.open("/nothing").await, 404, "Seite nicht gefunden");
}

#[tokio::test]
async fn the_page_of_an_author_has_the_name_as_its_heading() {
    let app = blog().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    publish(&ada, "Ada's").await;
    publish(&eve, "Eve's").await;
    let page = app.browser().open(&format!("/users/{}/posts", ada.id)).await;
    shows(&page, 200, "<h1>Posts by \u{2068}ada\u{2069}</h1>");
    assert!(page.text().contains("Ada&#39;s") && !page.text().contains("Eve&#39;s"));
}

#[tokio::test]
async fn posts_are_written_edited_and_deleted_by_pages() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let browser = logged_in(&app, &ada).await;
    let page = browser.submit("/posts/new", &[("title", &"x".repeat(101)), ("content", "kept text")]).await;
    shows(&page, 422, "The title may have at most 100 characters.");
    shows(&page, 422, "kept text");
    let page = browser.submit("/posts/new", &[("title", "\u{2800} \u{200b}"), ("content", "kept text")]).await;
    shows(&page, 422, "The title needs at least one visible character.");
    shows(&browser.submit("/posts/new", &[]).await, 422, "Please fill in this field.");
    let answer = browser.submit("/posts/new", &[("title", "First"), ("content", "a\r\nb")]).await;
    assert_eq!(answer.status, 303);
    let path = answer.headers["location"].to_str().unwrap().to_owned();
    shows(&browser.open(&path).await, 200, "Your post has been published.");
    assert_eq!(ada.get(&format!("/api{path}")).await.ok(200)["content"], "a\nb");
    shows(&browser.open(&format!("{path}/edit")).await, 200, "value=\"First\"");
    let page = browser.submit_and_follow(&format!("{path}/edit"), &[("title", "Second"), ("content", "c")]).await;
    shows(&page, 200, "<h1 dir=\"auto\">Second</h1>");
    shows(
        &browser.open(&format!("{path}/delete")).await,
        200,
        "Do you really want to delete “\u{2068}Second\u{2069}”?",
    );
    assert_eq!(browser.open(&path).await.status, 200, "looking at the question deletes nothing");
    shows(&browser.submit_and_follow(&format!("{path}/delete"), &[]).await, 200, "The post has been deleted.");
    assert_eq!(browser.open(&path).await.status, 404);
}

#[tokio::test]
async fn nobody_changes_posts_of_others_by_pages_or_from_other_sites() {
    let app = blog().await;
    let id = post_with(&app, "Mine", "Text").await;
    let eve = app.user("eve").await;
    let (nobody, other) = (app.browser(), logged_in(&app, &eve).await);
    for act in ["edit", "delete"] {
        let path = format!("/posts/{id}/{act}");
        let fields = [("title", "Eve's"), ("content", "x")];
        assert_eq!((other.open(&path).await.status, other.submit(&path, &fields).await.status), (403, 403));
        let asked = nobody.open(&path).await;
        let login = format!("/login?next={path}");
        assert_eq!((asked.status, asked.headers["location"].to_str().unwrap()), (303, &*login));
        assert_eq!(nobody.submit(&path, &fields).await.status, if act == "edit" { 401 } else { 303 });
    }
    assert_eq!(other.submit_from_elsewhere("/posts/new", &[("title", "a"), ("content", "b")]).await.status, 403);
    shows(&nobody.open(&format!("/posts/{id}")).await, 200, "<h1 dir=\"auto\">Mine</h1>");
}

#[tokio::test]
async fn nothing_that_people_write_becomes_markup_of_the_page() {
    let app = blog().await;
    let text = "<script>alert(1)</script>\n\n[x](javascript:alert(1)) <img src=x onerror=alert(1)> </textarea>";
    let id = post_with(&app, "</title><script>alert(1)</script>", text).await;
    let browser = app.browser();
    for path in ["/", &format!("/posts/{id}"), "/feed.xml"] {
        let answer = browser.open(path).await;
        let page = answer.text();
        assert_eq!(answer.status, 200);
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{path}: {page}");
        for bad in ["<script>", "<img src=x", "href=\"javascript", "</title><"] {
            assert!(!page.contains(bad), "{path}: {bad}");
        }
    }
}

#[tokio::test]
async fn the_feed_is_atom() {
    let app = blog().await;
    let id = post_with(&app, "One\u{1}", "Some *text*").await;
    let feed = app.browser().open("/feed.xml").await;
    assert_eq!(feed.headers["content-type"], "application/atom+xml; charset=utf-8");
    let text = feed.text();
    for part in [
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" ",
        &format!("<id>urn:uuid:{id}</id>"),
        "<title>One</title>",
        "&lt;em&gt;text&lt;/em&gt;",
        "<published>2026-11-24T08:00:00Z</published>",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn the_pages_of_the_accounts_have_the_layout_of_the_blog() {
    let app = blog().await;
    let browser = app.browser();
    for path in ["/login", "/register", "/forgot-password", "/reset-password", "/verify-email"] {
        shows(&browser.open(path).await, 200, "href=\"/feed.xml\"");
    }
    assert_eq!(browser.open("/reset-password").await.headers["referrer-policy"], "strict-origin");
    assert_eq!(browser.open("/").await.headers["referrer-policy"], "strict-origin-when-cross-origin");
}

/// Returns the text between two markers, which occur once on every page.
#[track_caller]
fn once<'p>(page: &'p str, before: &str, after: &str) -> &'p str {
    let parts: Vec<&str> = page.split(before).collect();
    let [_, rest] = parts[..] else { panic!("{before} stands there {} times: {page}", parts.len() - 1) };
    rest.split(after).next().unwrap()
}

#[tokio::test]
async fn every_page_has_a_title_and_says_what_it_is_in_the_readers_language() {
    let app = unlimited_blog().await;
    let person = Person::new(&app, "ada").await;
    let (reader, author) = (app.browser(), logged_in(&app, &person.user).await);
    let mut paths: Vec<String> =
        page_routes().iter().filter(|route| route.takes_get).map(|route| page_path(&route.path, &person)).collect();
    paths.push("/nothing".to_owned());
    let mut shown = 0;
    for path in &paths {
        for browser in [&reader, &author] {
            let mut said = Vec::new();
            for language in ["en", "de"] {
                browser.set_cookie("language", language);
                let answer = browser.open(path).await;
                let page = answer.text();
                if answer.status == 303 || !page.starts_with("<!doctype html>") {
                    continue; // a redirect, or not a page
                }
                assert!(!once(&page, "<title>", "</title>").trim().is_empty(), "{path}");
                let about = once(&page, "<meta name=\"description\" content=\"", "\"").to_owned();
                assert!(about.len() >= 10, "{path}: {about}");
                said.push(about);
                shown += 1;
            }
            // A post's description is in the post's own language.
            let is_post = path.starts_with("/posts/") && path.matches('/').count() == 2 && !path.ends_with("/new");
            if let ([english, german], false) = (&said[..], is_post) {
                assert_ne!(english, german, "{path}");
            }
        }
    }
    assert!(shown >= 50, "{shown} pages of {paths:?}");
}
