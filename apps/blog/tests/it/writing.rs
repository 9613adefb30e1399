//! Whatever error a writer gets, the form comes back with their text.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::Request;
use countersign::testing::{Answer, Browser, PASSWORD, TestApp, User};
use futures_util::stream::{self, FuturesUnordered, StreamExt as _};
use serde_json::json;

use crate::{UNKNOWN_ID, blog, publish};

const TITLE: &str = "What I have & \"typed\"";
const TEXT: &str = "Three hours of work\r\n</textarea><b>and</b> a second line";
const FIELDS: [(&str, &str); 2] = [("title", TITLE), ("content", TEXT)];

/// Asserts that the response contains the same form with all fields filled in, and this message.
#[track_caller]
fn keeps_the_text(answer: &Answer, status: u16, action: &str, said: &str) {
    let page = answer.text();
    assert_eq!(answer.status, status, "{page}");
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    for part in [
        &*format!("<form method=\"post\" action=\"{action}\">"),
        "value=\"What I have &amp; &quot;typed&quot;\"",
        ">\nThree hours of work\r\n&lt;/textarea&gt;&lt;b&gt;and&lt;/b&gt; a second line</textarea>",
        "role=\"alert\"",
        said,
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
}

async fn logged_in(app: &TestApp, user: &User) -> Browser {
    let browser = app.browser();
    assert_eq!(browser.log_in(&user.email, PASSWORD).await.status, 303);
    browser
}

async fn post_of(author: &User) -> String {
    publish(author, "A post").await["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_text_outlives_the_session_it_was_written_in() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let id = post_of(&ada).await;
    let edit = format!("/posts/{id}/edit");
    for (path, next) in [("/posts/new", String::new()), (&*edit, format!("?next=/posts/{id}"))] {
        let browser = logged_in(&app, &ada).await;
        browser.submit("/logout", &[]).await;
        let page = browser.submit(path, &FIELDS).await;
        keeps_the_text(&page, 401, path, "You are logged out. Your text is still here");
        let link = format!("href=\"/login{next}\" target=\"_blank\" rel=\"noopener\">Log in in another tab</a>");
        assert!(page.text().contains(&link), "{}", page.text());
        assert_eq!(page.headers["cache-control"], "no-store");
        assert_eq!(ada.get(&format!("/api/posts/{id}")).await.ok(200)["title"], "A post", "nothing is taken");
        // Log in in another tab, then submit the same form again.
        assert_eq!(browser.log_in(&ada.email, PASSWORD).await.status, 303);
        let answer = browser.submit(path, &FIELDS).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let post = ada.get(&format!("/api{}", answer.headers["location"].to_str().unwrap())).await.ok(200);
        assert_eq!((&post["title"], &post["content"]), (&json!(TITLE), &json!(TEXT.replace("\r\n", "\n"))));
        ada.patch(&format!("/api/posts/{id}"), json!({ "title": "A post" })).await.ok(200);
    }
}

#[tokio::test]
async fn a_text_outlives_the_account_it_was_written_with() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let browser = logged_in(&app, &ada).await;
    ada.delete(&format!("/api/users/{}", ada.id)).await.ok(204);
    keeps_the_text(&browser.submit("/posts/new", &FIELDS).await, 401, "/posts/new", "You are logged out.");
}

#[tokio::test]
async fn a_text_comes_back_from_the_post_of_another_account() {
    let app = blog().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let edit = format!("/posts/{}/edit", post_of(&ada).await);
    let page = logged_in(&app, &eve).await.submit(&edit, &FIELDS).await;
    keeps_the_text(&page, 403, &edit, "This post belongs to another account.");
    assert!(page.text().contains("target=\"_blank\""), "{}", page.text());
}

#[tokio::test]
async fn a_text_for_a_post_that_is_gone_can_be_published_anew() {
    let app = blog().await;
    let browser = logged_in(&app, &app.user("ada").await).await;
    let page = browser.submit(&format!("/posts/{UNKNOWN_ID}/edit"), &FIELDS).await;
    keeps_the_text(&page, 404, "/posts/new", "This post has been deleted.");
    assert_eq!(browser.submit("/posts/new", &FIELDS).await.status, 303);
}

#[tokio::test]
async fn a_text_comes_back_when_something_is_wrong_with_it() {
    let app = blog().await;
    let browser = logged_in(&app, &app.user("ada").await).await;
    let long = "ä".repeat(600_000);
    for (title, content, said) in [
        ("", "kept text", "Please fill in this field."),
        (&*"t".repeat(101), "kept text", "The title may have at most 100 characters."),
        ("kept title", &*long, "The text may have at most 1 MiB."),
        ("kept title", "kept \0 text", "This value is not accepted"),
    ] {
        for (browser, status) in [(&browser, 422), (&app.browser(), 401)] {
            let page = browser.submit("/posts/new", &[("title", title), ("content", content)]).await;
            assert_eq!(page.status, status);
            let (text, shown) = (page.text(), content.replace('\0', "\u{fffd}"));
            assert!(text.contains(&format!("value=\"{title}\"")) && text.contains(&format!(">\n{shown}</textarea>")));
            assert!(text.contains(said), "{said}");
        }
    }
}

#[tokio::test]
async fn a_text_in_any_script_is_not_too_long_for_a_form_that_is_not_too_long_to_be_published() {
    let app = blog().await;
    let browser = logged_in(&app, &app.user("ada").await).await;
    let text = "文".repeat((1 << 20) / 3);
    let answer = browser.submit("/posts/new", &[("title", "Long"), ("content", &text)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text());
}

#[tokio::test]
async fn a_text_comes_back_when_the_database_is_away() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let edit = format!("/posts/{}/edit", post_of(&ada).await);
    let browser = logged_in(&app, &ada).await;
    app.db().close().await;
    for path in ["/posts/new", &edit] {
        let page = browser.submit(path, &FIELDS).await;
        keeps_the_text(&page, 503, path, "The post could not be saved at the moment.");
        assert_eq!(page.headers["retry-after"], "1");
    }
}

#[tokio::test]
async fn a_text_that_another_site_sends_is_not_shown() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let edit = format!("/posts/{}/edit", post_of(&ada).await);
    for browser in [app.browser(), logged_in(&app, &ada).await] {
        for path in ["/posts/new", &edit] {
            let page = browser.submit_from_elsewhere(path, &FIELDS).await;
            assert_eq!(page.status, 403);
            assert!(!page.text().contains("Three hours"), "{}", page.text());
        }
    }
}

#[tokio::test]
async fn sixteen_texts_of_visitors_who_are_not_logged_in_are_held_at_a_time() {
    let app = blog().await;
    let (visitor, browser) = (app.anonymous(), app.browser());
    // A form that has begun and does not end.
    let unending = || {
        let begun = stream::iter([Ok::<_, Infallible>("title=")]).chain(stream::pending());
        let request = Request::post("/posts/new").header("host", "localhost").header("sec-fetch-site", "same-origin");
        request.header("content-type", "application/x-www-form-urlencoded").body(Body::from_stream(begun)).unwrap()
    };
    let mut held: FuturesUnordered<_> = (0..16).map(|_| visitor.send_request(unending())).collect();
    let answer = tokio::select! {
        biased;
        Some(answer) = held.next() => panic!("a form that does not end was answered: {}", answer.text()),
        answer = browser.submit("/posts/new", &FIELDS) => answer,
    };
    assert_eq!((answer.status, &answer.headers["location"]), (303, &"/login".parse().unwrap()));
    drop(held);
    let answer = browser.submit("/posts/new", &FIELDS).await;
    keeps_the_text(&answer, 401, "/posts/new", "You are logged out. Your text is still here");
}
