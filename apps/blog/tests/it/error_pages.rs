//! Error pages, for logged-in users and for others.

use std::time::Duration;

use countersign::testing::{Answer, Browser, PASSWORD, TestApp};
use jiff::SignedDuration;
use tokio::time::timeout;

use crate::{UNKNOWN_ID, blog, blog_with, publish};

#[track_caller]
fn is_page(answer: &Answer, status: u16, reader: Option<&str>) {
    let text = answer.text();
    assert_eq!(answer.status, status, "{text}");
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    assert!(text.contains(&format!("<p><strong>{status}</strong></p>")), "{text}");
    assert_eq!(text.contains("action=\"/logout\""), reader.is_some(), "{text}");
    assert_eq!(text.contains("href=\"/register\""), reader.is_none(), "{text}");
    if let Some(name) = reader {
        assert!(text.contains(&format!("<bdi class=\"name\">{name}</bdi>")), "{text}");
    }
}

async fn logged_in(app: &TestApp, name: &str) -> Browser {
    let user = app.user(name).await;
    let browser = app.browser();
    assert_eq!(browser.log_in(&user.email, PASSWORD).await.status, 303);
    browser
}

#[tokio::test]
async fn an_errors_page_shows_who_is_logged_in() {
    let app = blog().await;
    let author = app.user("author").await;
    let post = publish(&author, "Mine").await;
    let edit = format!("/posts/{}/edit", post["id"].as_str().unwrap());
    let (ada, nobody) = (logged_in(&app, "ada").await, app.browser());
    for path in ["/nothing".to_owned(), format!("/posts/{UNKNOWN_ID}"), format!("/users/{UNKNOWN_ID}/posts")] {
        is_page(&ada.open(&path).await, 404, Some("ada"));
        is_page(&nobody.open(&path).await, 404, None);
    }
    is_page(&ada.open("/posts/unreadable").await, 422, Some("ada"));
    is_page(&ada.open(&edit).await, 403, Some("ada"));
    is_page(&ada.open("/logout").await, 405, Some("ada"));
    is_page(&ada.submit_from_elsewhere("/logout", &[]).await, 403, Some("ada"));
    is_page(&nobody.open("/logout").await, 405, None);
    // Still logged in after a while, but not after the session has ended.
    app.clock.advance(SignedDuration::from_hours(1));
    is_page(&ada.open("/nothing").await, 404, Some("ada"));
    ada.submit("/logout", &[]).await;
    is_page(&ada.open("/nothing").await, 404, None);
}

#[tokio::test]
async fn a_forged_cookie_is_nobodys_on_an_errors_page() {
    let app = blog().await;
    let ada = logged_in(&app, "ada").await;
    let genuine = ada.cookie("session").unwrap();
    let mut forged = genuine.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'Q' } else { 'A' });
    for cookie in [forged.as_str(), "nonsense", ""] {
        let browser = app.browser();
        browser.set_cookie("session", cookie);
        is_page(&browser.open("/nothing").await, 404, None);
    }
}

#[tokio::test]
async fn an_errors_page_comes_without_the_database_too() {
    let app = blog_with(|config| config.session.cache_max = 0).await;
    let ada = logged_in(&app, "ada").await;
    is_page(&ada.open("/nothing").await, 404, Some("ada"));
    app.db().close().await;
    is_page(&ada.open("/nothing").await, 404, None);
    is_page(&ada.open("/logout").await, 405, None);
    let answer = ada.open("/account").await;
    is_page(&answer, answer.status, None);
    assert!(answer.status >= 500, "{}", answer.status);
}

#[tokio::test]
async fn an_errors_page_does_not_wait_for_a_database_that_is_busy() {
    let app = blog_with(|config| config.session.cache_max = 0).await;
    let ada = logged_in(&app, "ada").await;
    let mut held = Vec::new();
    while let Ok(read) = timeout(Duration::from_millis(200), app.db().read()).await {
        held.push(read.unwrap());
    }
    // A request that waits for a connection is refused after five seconds.
    let page = timeout(Duration::from_secs(4), ada.open("/nothing")).await;
    is_page(&page.expect("soon"), 404, None);
    drop(held);
    is_page(&ada.open("/nothing").await, 404, Some("ada"));
}

#[tokio::test]
async fn an_address_that_should_not_exist_does_not() {
    let app = blog().await;
    let path = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200";
    is_page(&app.browser().open(path).await, 404, None);
    is_page(&logged_in(&app, "ada").await.open(path).await, 404, Some("ada"));
    let answer = app.browser().open("/.well-known/change-password").await;
    assert_eq!(answer.headers["location"].to_str().unwrap(), "/login?next=/.well-known/change-password");
}
